"""The page of a home on a stand-in bus, asked as a browser would ask, without sockets."""

import asyncio
import json

import httpx
import numpy as np
import pytest

from camera_sources.pictures.image_decoding import decode_picture
from gateway.cluster.cluster_listener import ComputedFrame
from gateway.page import routes
from gateway.page.gateway_page import GatewayPage
from gateway.page.login_routes import LoginRoutes
from gateway.page.routes import Routes, make_application
from shared.mqtt import topics
from shared.mqtt.received import Received
from shared.payloads.bridge import BridgeEventType
from shared.payloads.cluster import BridgeState, CameraStats, FrameDetections, Latency, State
from shared.payloads.frames import FrameCounts, Outcome
from shared.payloads.versions import PROTOCOL
from shared.wire.headers import RecordingRef, TraceHeader
from tests.unit.gateway.houses import House
from tests.unit.gateway.observation.scene.filming import person
from tests.unit.gateway.page.test_tile_layout import divided

HEADERS = {"X-DeepThings": "page"}


class NoTraces:
    async def collect(self, seconds):
        assert seconds == 10
        return TraceHeader(clock=0.0, recordings=(RecordingRef(node="attic", missing="it is asleep"),)), []


class PagedHouse(House):
    """A House with a page; what is said of cameras comes to both."""

    def __init__(self, folder, **cameras):
        super().__init__(folder, **cameras)
        heard, self.bus.on_plain = {}, lambda topic, handler, **_: heard.update({topic.path: handler})
        state = BridgeState(state=State.ONLINE, protocol=PROTOCOL, version="1")
        self.page = GatewayPage(self.home, self.bus, NoTraces(), lambda: state)
        self._to_page = heard[topics.CAMERA_STATS.path]
        transport = httpx.ASGITransport(self.page.counting(make_application(self.page)))
        self.browser = httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8095")

    async def hear(self, camera="door", node="pi-1", **said):
        await super().hear(camera, node, **said)
        stats = CameraStats(camera=camera, node=node, counts=FrameCounts(captured=5, published=4), state=State.ONLINE)
        self._to_page(Received((camera,), stats.model_dump_json().encode(), retained=False))

    async def film(self, number, *objects):
        """A frame of the door, half of it computed by another edge than its owner."""
        frame = f"door-1-{number}"
        self.home.on_frame_computed(
            ComputedFrame(frame, "door", "pi-1", (1000, 500), {0: "pi-1", 1: "pi-2"}, divided(1, 2))
        )
        seen = FrameDetections(
            camera="door", frame=frame, number=number, captured_at=1e9 + number / 10, published_at=1e9 + number / 10,
            model="m", grid="1x2", image=(1000, 500), objects=objects, nodes={},
            latency_ms=Latency(total=100.0, transfer=0, prepare=0, tiles=0, tail=0, decode=0),
        )  # fmt: skip
        await self.home.on_detections(seen, self.fetch, 0.0)
        self.home.on_frame_ended("door", Outcome.PUBLISHED)

    async def fetch(self):
        return np.zeros((500, 1000, 3), np.uint8)


@pytest.fixture
async def house(tmp_path):
    made = PagedHouse(tmp_path)
    await made.edges("pi-1", "pi-2")
    await made.hear()
    yield made
    await made.page.end()
    await made.browser.aclose()


async def test_the_page_and_its_files_are_there_and_may_not_ask_others(house):
    answer = await house.browser.get("/")
    assert answer.status_code == 200
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    script = await house.browser.get("/static/app.js")
    assert script.headers["content-type"].startswith("text/javascript")
    again = await house.browser.get("/static/app.js", headers={"If-None-Match": script.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    "path", ["/static/../gateway_page.py", "/static/vendor/LICENSE-htm", "/static/%2e%2e/routes.py", "/x"]
)
async def test_nothing_else_is_served(house, path):
    assert (await house.browser.get(path)).status_code == 404


async def test_a_foreign_name_is_refused_everywhere(house):
    for path in ("/", "/metrics", "/api/history", "/api/cameras/door/picture.jpg"):
        assert (await house.browser.get(path, headers={"Host": "evil.example"})).status_code == 403


async def test_the_sections_are_what_the_bus_said(house):
    house.home.on_cluster_event(BridgeEventType.NODE_JOINED, "pi-2")
    await house.home.events.flush()
    sections = json.loads(json.dumps(house.page.sections()))
    assert [camera["name"] for camera in sections["cameras"]] == ["door"]
    assert sections["cameras"][0]["state"] == "online"
    assert sections["plan"]["method"] == "ftp-wst"
    assert [event["name"] for event in sections["events"]["cluster"]] == ["pi-2", "door"]


async def test_problems_come_with_their_cures(house):
    await house.edges(gone=("pi-1", "pi-2"))
    problems = house.page.sections()["problems"]
    found = {problem["what"]: problem["cure"] for problem in problems}
    assert "start deepthings edge on each device" in found["no edge is connected"]
    assert "deepthings invite NAME" in found["no edge is connected"]


async def test_a_frame_comes_with_its_tiles_boxes_and_reasons(house):
    for number in range(4):
        await house.film(number, person(500, score=0.9), person(100, label="dog"))
    task = asyncio.create_task(house.page.pictures.next("door", "", 5.0))
    await asyncio.sleep(0)
    await house.film(4, person(500, score=0.9), person(100, label="dog"))
    found = await task
    view = json.loads(found.view)
    assert view["frame"] == "door-1-4"
    assert [tile["node"] for tile in view["tiles"]] == ["pi-1", "pi-2"]
    assert {found["label"]: found["counts"] for found in view["objects"]} == {"person": True, "dog": False}
    answer = await house.browser.get("/api/cameras/door/picture.jpg")
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["x-frame"] == "door-1-4"
    whole = await house.browser.get("/api/cameras/door/frame?after=door-1-3")
    assert whole.content == found.body


async def test_a_frame_that_nobody_wants_is_not_fetched(house):
    async def fetch():
        raise AssertionError("nobody looks")

    house.fetch = fetch
    await house.film(1, person(500))
    assert house.page.pictures._tasks == {}


async def test_an_unknown_camera_is_named(house):
    answer = await house.browser.get("/api/cameras/garage/frame")
    assert (answer.status_code, answer.json()["error"]) == (400, "camera 'garage' not found")


async def test_a_setting_is_changed_as_by_mqtt(house):
    answer = await house.browser.post("/api/cameras/door/set/threshold", content="0.55", headers=HEADERS)
    assert answer.json() == {"ok": True}
    assert house.bus.retained["cameras/door/threshold/state"] == b"0.55"
    assert house.page.sections()["cameras"][0]["settings"]["threshold"] == 0.55


AREA = "0,0,1,0,1,1"
WITH_AREAS = {"door": {"source": "test://", "zones": {"porch": {"coordinates": AREA}}, "objects": {"mask": AREA}}}


async def test_zones_and_masks_are_switched_as_by_mqtt(house):
    house.file = house.configuration(cameras=WITH_AREAS)
    await house.home.reload()
    for path, where in (("zones/porch/set", "zones/porch"), ("set/mask_objects_1", "mask_objects_1")):
        answer = await house.browser.post(f"/api/cameras/door/{path}", content="OFF", headers=HEADERS)
        assert answer.json() == {"ok": True}
        assert house.bus.retained[f"cameras/door/{where}/state"] == b"OFF"
    (camera,) = house.page.sections()["cameras"]
    assert [(area["name"], area["on"]) for area in camera["switches"]] == [("porch", False), ("mask_objects_1", False)]
    assert [area["on"] for area in camera["areas"]] == [False, False]


@pytest.mark.parametrize(
    ("path", "content", "words"),
    [
        ("cameras/door/zones/lawn/set", "OFF", "camera door has no zone 'lawn'"),
        ("cameras/door/set/mask_motion_1", "OFF", "camera door has no mask 'mask_motion_1'"),
        ("cameras/door/zones/porch/set", "perhaps", "'perhaps' is not a switch state; send ON or OFF"),
        ("profile", "away", "profile 'away' not found; profiles: none"),
    ],
)
async def test_what_cannot_be_switched_is_refused_with_the_reason(house, path, content, words):
    answer = await house.browser.post(f"/api/{path}", content=content, headers=HEADERS)
    assert (answer.status_code, answer.json()["error"]) == (400, words)


async def test_a_profile_is_chosen_as_by_mqtt(house):
    profiles = {"home": {"cameras": {"door": {"detect": False}}}, "away": {"friendly_name": "Nobody here"}}
    house.file = house.configuration(profiles=profiles)
    await house.home.reload()
    assert house.page.sections()["cameras"][0]["settings"]["detect"] is False
    assert (await house.browser.post("/api/profile", content="away", headers=HEADERS)).json() == {"ok": True}
    sections = house.page.sections()
    assert sections["profiles"] == {"chosen": "away", "names": {"home": "home", "away": "Nobody here"}}
    assert sections["cameras"][0]["settings"]["detect"] is True
    assert house.bus.retained["bridge/profile/state"] == b"away"


async def test_an_invalid_value_is_refused_with_the_reason(house):
    answer = await house.browser.post("/api/cameras/door/set/threshold", content="much", headers=HEADERS)
    assert (answer.status_code, answer.json()["error"]) == (400, "'much' is not a number; send for example 0.5")


async def test_a_change_without_the_header_of_the_page_is_refused(house):
    answer = await house.browser.post("/api/cameras/door/set/detect", content="OFF")
    assert answer.status_code == 403
    assert house.page.sections()["cameras"][0]["settings"]["detect"] is True


async def test_a_request_is_carried_out_as_by_mqtt(house):
    answer = await house.browser.post("/api/request/drain_node", content='{"node": "pi-1"}', headers=HEADERS)
    assert answer.json() == {"ok": True, "data": {"node": "pi-1", "drained": ["pi-1"]}}
    wrong = await house.browser.post("/api/request/explode", content="{}", headers=HEADERS)
    assert "unknown request 'explode'" in wrong.json()["error"]


@pytest.mark.parametrize("body", [b"[1]", b"{", b"x" * 70_000])
async def test_what_is_no_request_is_refused(house, body):
    answer = await house.browser.post("/api/request/info", content=body, headers=HEADERS)
    assert answer.status_code == 400


async def test_zones_can_be_tried_and_hold_until_the_next_reload(house):
    zones = {"porch": {"coordinates": "0,0,1,0,1,1,0,1"}}
    answer = await house.browser.post(
        "/api/request/try_areas", content=json.dumps({"camera": "door", "zones": zones}), headers=HEADERS
    )
    assert answer.json()["data"] == {"camera": "door", "zones": ["porch"]}
    assert [area["name"] for area in house.page.sections()["cameras"][0]["areas"]] == ["porch"]
    await house.home.reload()
    assert house.page.sections()["cameras"][0]["areas"] == []


async def test_a_wrong_zone_is_refused_with_its_place(house):
    answer = await house.browser.post(
        "/api/request/try_areas", content='{"camera": "door", "zones": {"porch": {"coordinates": "0,0,1"}}}',
        headers=HEADERS,
    )  # fmt: skip
    assert answer.json()["error"].startswith("zones.porch.coordinates: an odd number of numbers")


async def test_history_and_timelines_are_there_from_the_start(house):
    assert (await house.browser.get("/api/history")).json()["at"] == []
    timelines = (await house.browser.get("/api/timelines")).json()
    assert (timelines["frames"], timelines["missing"]) == ([], {"attic": "it is asleep"})


async def test_objects_that_never_counted_are_told(house):
    await house.film(1, person(500, score=0.9))
    for number in range(2, 40):
        await house.film(number)
    (found,) = (await house.browser.get("/api/cameras/door/uncounted")).json()
    assert found["why"].startswith("seen in 1 of the")


async def test_events_have_the_close_up_of_their_object(house):
    for number in range(4):
        await house.film(number, person(500, score=0.9))
    await house.home.events.flush()
    await house.bus.publish_plain(topics.LABEL_SNAPSHOT, b"JPEG", "door", "person")
    (event,) = house.page.sections()["events"]["objects"]
    assert event["picture"] is True
    assert (await house.browser.get(f"/api/events/{event['id']}.jpg")).content == b"JPEG"
    assert (await house.browser.get("/api/events/other.jpg")).status_code == 404


async def test_metrics_are_text_for_prometheus(house):
    for number in range(4):
        await house.film(number, person(500, score=0.9))
    answer = await house.browser.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert 'deepthings_frame_latency_seconds_count{camera="door"} 4.0' in answer.text
    assert 'deepthings_frames_published_total{camera="door",node="pi-1"} 4.0' in answer.text


async def test_help_is_only_counted_while_somebody_looks(house):
    await house.film(1)
    assert house.page.sections()["cluster"]["flows"] == []
    house.page._requests = 1
    await house.film(2)
    assert {flow["worker"] for flow in house.page.sections()["cluster"]["flows"]} == {"pi-1", "pi-2"}


async def test_the_page_is_idle_when_nobody_has_asked_for_a_while(house):
    house.page.begin()
    assert not house.page.is_idle(60)
    assert house.page.is_idle(0)
    house.page._requests = 1
    assert not house.page.is_idle(0)


async def test_a_stream_of_a_still_scene_repeats_its_picture_before_programs_give_it_up(house, monkeypatch):
    monkeypatch.setattr(routes, "NEXT_FRAME_TIMEOUT_S", 0.05)
    stream = Routes(house.page, LoginRoutes(None))._mjpeg(None, "door")
    task = asyncio.create_task(anext(stream))
    await asyncio.sleep(0)
    await house.film(1, person(500, score=0.9))
    first = await task
    assert await asyncio.wait_for(anext(stream), 5) == first
    await stream.aclose()


async def test_a_stream_of_pictures_is_motion_jpeg_and_ends_with_the_page(house):
    stream = Routes(house.page, LoginRoutes(None))._mjpeg(None, "door")
    for number in range(2):
        task = asyncio.create_task(anext(stream))
        await asyncio.sleep(0)
        house.page.pictures._due.clear()
        await house.film(number, person(500, score=0.9))
        part = await task
        assert part.startswith(b"--deepthings\r\nContent-Type: image/jpeg\r\nContent-Length: ")
        assert decode_picture(part.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n")).shape == (400, 800, 3)
    house.page.stopping = True
    with pytest.raises(StopAsyncIteration):
        await anext(stream)
