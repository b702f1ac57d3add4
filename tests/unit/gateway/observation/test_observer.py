from __future__ import annotations

import asyncio
import json
import os
import time
from types import SimpleNamespace

import pytest

from gateway.observation import observer
from gateway.observation.scene_store import SceneStore
from gateway.state.state_folder import StateFolder
from shared.mqtt import topics
from shared.payloads.cluster import DetectedObject, FrameDetections, Latency, State
from tests.settling import until
from tests.unit.gateway.houses import House, running

BOX = (10.0, 10.0, 60.0, 160.0)
SEEN = DetectedObject(label="person", score=0.9, box=BOX, box_rel=(0.01562, 0.02083, 0.09375, 0.33333))
STATES = ("detections/door/all", "detections/door/person")
LATENCY = Latency(total=1, transfer=0, prepare=0, tiles=1, tail=0, decode=0)


@pytest.fixture
def house(tmp_path):
    return House(tmp_path)


async def no_picture():
    raise AssertionError("nothing is to be drawn")


async def show(house, *numbers):
    """Frames that come one second apart, with somebody in them."""
    for number in numbers:
        at = time.time() - 100 + number
        frame = FrameDetections(
            camera="door", frame=f"door-1-{number}", number=number, captured_at=at, published_at=at, latency_ms=LATENCY,
            model="m", grid="3x3", image=(640, 480), objects=(SEEN,), nodes={},
        )  # fmt: skip
        await house.home.observer.observe(frame, no_picture, time.monotonic() - 100 + number)


def count(house):
    return json.loads(house.bus.retained["detections/door/person"])["count"]


async def settled(house):
    """Until all changes so far are followed."""
    async with running(house.home.observer.run()):
        await until("all changes taken", house.home.observer._changes.empty)
        async with house.home.observer._lock:
            pass


@pytest.fixture
def without_snapshots(house):
    said = {"door": {"source": "test://", "snapshots": {"enabled": False}}}
    return House(house.folder, cameras=said)


async def test_a_frame_that_was_under_way_when_its_camera_was_lost_shows_nobody(without_snapshots):
    house = without_snapshots
    await house.hear()
    await settled(house)
    await show(house, 1, 2, 3, 4)
    assert count(house) == 1
    await house.hear(state=State.OFFLINE, reason="no route")
    await settled(house)
    assert count(house) == 0
    await show(house, 5, 6, 7, 8)
    assert count(house) == 0
    await house.hear()
    await settled(house)
    await show(house, 9, 10, 11, 12)
    assert count(house) == 1


async def test_a_change_is_followed_to_its_end_however_slow_the_broker_is(without_snapshots, monkeypatch):
    house = without_snapshots
    monkeypatch.setattr(observer, "EXPIRY_CHECK_PERIOD_S", 0.001)
    await house.hear()
    await settled(house)
    await show(house, 1, 2, 3, 4)
    publish, slow = house.bus.publish, asyncio.Event()

    async def late(topic, message, *names):
        if topic is topics.OBJECTS:
            await slow.wait()
        await publish(topic, message, *names)

    monkeypatch.setattr(house.bus, "publish", late)
    async with running(house.home.observer.run()):
        await house.hear(state=State.OFFLINE, reason="no route")
        asyncio.get_running_loop().call_later(0.05, slow.set)
        await slow.wait()
        await until("a count of none", lambda: not count(house))


# starts and stops


async def there(house):
    await house.hear()
    await settled(house)


def kinds(house):
    """The beginnings and ends of events so far."""
    told = [event.type for topic, event, _ in house.home.events._waiting._queue if topic is topics.EVENTS]
    return [kind for kind in told if kind != "update"]


def triggers(house):
    return [one.name for topic, one, _ in house.home.events._waiting._queue if topic is topics.TRIGGERS]


async def test_nothing_is_published_of_a_camera_until_its_first_frames_were_processed(without_snapshots):
    house = without_snapshots
    await house.home.on_connected()
    await there(house)
    await show(house, 1)
    assert house.bus.retained["cameras/door/availability"] == b"offline"
    assert not [where for where in house.bus.retained if where.startswith("detections/")]
    await show(house, 2, 3)
    assert count(house) == 1
    said = [where for where, _ in house.bus.said]
    assert house.bus.retained["cameras/door/availability"] == b"online"
    last = max(index for index, where in enumerate(said) if where == "cameras/door/availability")
    assert last > said.index("detections/door/person"), "who sees that it is online knows what it sees"


async def test_after_a_restart_an_object_that_is_still_present_causes_no_event(without_snapshots):
    house = without_snapshots
    await there(house)
    await show(house, *range(1, 9))
    assert kinds(house) == ["new"]
    await house.home.publish_stopping()
    assert count(house) == 0
    assert house.bus.retained["cameras/door/availability"] == b"offline"
    again = House(house.folder, cameras={"door": {"source": "test://", "snapshots": {"enabled": False}}})
    again.bus.retained = dict(house.bus.retained)
    await again.home.on_connected()
    await there(again)
    await show(again, 10)
    assert count(again) == 0, "what it sees is not known after one frame"
    await show(again, 11, 12)
    assert count(again) == 1
    assert kinds(again) == triggers(again) == []


async def test_a_gateway_that_was_killed_knows_what_was_open(without_snapshots):
    house = without_snapshots
    await there(house)
    await show(house, *range(1, 9))
    again = House(house.folder, cameras={"door": {"source": "test://", "snapshots": {"enabled": False}}})
    await there(again)
    assert again.home.observer.occupied("door")
    await show(again, 10, 11, 12)
    assert kinds(again) == triggers(again) == []


async def test_a_scene_is_written_when_an_event_begins_or_ends_and_not_at_each_frame(without_snapshots, monkeypatch):
    house, written = without_snapshots, []
    write = SceneStore.write

    def counted(store):
        kept = write(store)
        written.append(1)  # when the file is there: the observer may be cancelled now
        return kept

    monkeypatch.setattr(SceneStore, "write", counted)
    await there(house)
    written.clear()
    await show(house, 1, 2, 3)
    assert kinds(house) == ["new"]
    assert len(written) == 1
    await show(house, *range(4, 20))
    told = [event.type for topic, event, _ in house.home.events._waiting._queue if topic is topics.EVENTS]
    assert "update" in told
    assert len(written) == 1, "that it is at rest is stored with the positions"
    monkeypatch.setattr("gateway.observation.scene_store._MOVING_WRITE_PERIOD_S", 0.0)
    async with running(house.home.observer.run()):
        await until("the rest written", lambda: len(written) > 1)
    kept = json.loads((house.folder / "scenes.json").read_text())["content"]["door"]["scene"]["objects"]
    assert [one["event"]["stationary"] for one in kept] == [True]


async def test_an_open_event_of_a_camera_that_left_the_file_ends(without_snapshots, monkeypatch):
    house = without_snapshots
    await there(house)
    await show(house, *range(1, 9))
    long_ago = time.time() - 300
    os.utime(house.folder / "scenes.json", (long_ago, long_ago))
    again = House(house.folder, cameras={})
    monkeypatch.setattr(observer, "EXPIRY_CHECK_PERIOD_S", 0.001)
    async with running(again.home.observer.run()):
        await until("an event", lambda: kinds(again))
        await again.home.observer.on_connected()
    assert kinds(again) == ["end"]
    assert triggers(again) == ["person_left"]
    await again.home.publish_stopping()
    assert not [where for where, _ in again.bus.said if where in STATES], "it is no more"


async def test_while_the_camera_is_away_it_is_gone_before_its_counts_are_none(without_snapshots):
    house = without_snapshots
    await there(house)
    await show(house, *range(1, 9))
    house.bus.said.clear()
    await house.hear(state=State.OFFLINE, reason="no route")
    await settled(house)
    said = [where for where, _ in house.bus.said]
    assert said.index("cameras/door/availability") < said.index("detections/door/person")
    assert house.bus.retained["cameras/door/availability"] == b"offline"
    assert kinds(house) == ["new"], "it may be back soon"
    await there(house)
    assert house.bus.retained["cameras/door/availability"] == b"offline", "no frame has come since"
    await show(house, 10, 11, 12)
    assert house.bus.retained["cameras/door/availability"] == b"online"
    assert kinds(house) == ["new"]


async def test_a_source_that_has_come_to_its_end_ends_all_at_once(without_snapshots):
    house = without_snapshots
    await there(house)
    await show(house, *range(1, 9))
    await house.hear(state=State.OFFLINE, ended=True, reason="ended")
    await settled(house)
    assert kinds(house) == ["new", "end"]
    assert triggers(house) == ["person_appeared", "person_left"]


async def test_who_rests_is_kept_from_when_frames_stop_not_from_an_earlier_time(without_snapshots, monkeypatch):
    house = without_snapshots
    await there(house)
    await show(house, *range(1, 30))
    long_ago = json.loads((house.folder / "scenes.json").read_text())
    long_ago["content"]["door"]["away_since"] = time.time() - 50
    (house.folder / "scenes.json").write_text(json.dumps(long_ago))
    again = House(house.folder, cameras={"door": {"source": "test://", "snapshots": {"enabled": False}}})
    await there(again)
    await show(again, *range(31, 34))
    assert not kinds(again)
    monkeypatch.setattr(observer, "EXPIRY_CHECK_PERIOD_S", 0.001)
    async with running(again.home.observer.run()):
        await until("the scene written", lambda: kept(again).away_s <= 10)


def kept(house):
    return SceneStore(StateFolder(house.folder)).take_scene("door")


async def test_frames_of_a_camera_that_is_no_more_show_nobody(tmp_path):
    house = House(tmp_path, cameras=("yard",))
    await house.hear(assigned=True)
    await show(house, *range(1, 9))
    assert not [where for where, payload in house.bus.said if "/door/" in where and payload]
    assert kinds(house) == triggers(house) == []


async def test_what_a_killed_gateway_has_left_is_none_when_the_next_one_stops_before_any_frame(without_snapshots):
    house = without_snapshots
    await there(house)
    await show(house, *range(1, 9))
    again = House(house.folder, cameras={"door": {"source": "test://", "snapshots": {"enabled": False}}})
    again.bus.retained = dict(house.bus.retained)
    await again.home.on_connected()
    assert count(again) == 1
    await again.home.publish_stopping()
    assert count(again) == 0


async def test_an_end_that_is_under_way_when_the_gateway_stops_is_published(without_snapshots, monkeypatch):
    house = without_snapshots
    await there(house)
    await show(house, *range(1, 9))
    begun = asyncio.Event()

    async def slow(_, state, __):
        if not state.all.count:
            begun.set()
            await asyncio.Event().wait()

    monkeypatch.setattr(house.home.observer._publisher, "publish_state", slow)
    async with running(house.home.observer.run()):
        await house.hear(state=State.OFFLINE, ended=True, reason="ended")
        await begun.wait()
    assert kinds(house) == ["new", "end"]
    assert triggers(house) == ["person_appeared", "person_left"]


async def gone_for_long(house, monkeypatch):
    """The camera was lost, and what was seen there is given up."""
    await there(house)
    await show(house, *range(1, 9))
    async with running(house.home.events.run()):
        await until("all events taken", lambda: house.home.events.idle)
    house.bus.away = True
    await house.hear(state=State.OFFLINE, reason="no route")
    await settled(house)
    monkeypatch.setattr(observer, "time", SimpleNamespace(monotonic=lambda: time.monotonic() + 3600))
    monkeypatch.setattr(observer, "EXPIRY_CHECK_PERIOD_S", 0.001)
    async with running(house.home.observer.run()):
        await until("an event", lambda: kinds(house))
    assert kinds(house) == ["end"]


async def test_an_end_that_no_broker_took_is_published_by_the_next_run(without_snapshots, monkeypatch):
    house = without_snapshots
    await gone_for_long(house, monkeypatch)
    monkeypatch.undo()
    again = House(house.folder, cameras={"door": {"source": "test://", "snapshots": {"enabled": False}}})
    async with running(again.home.observer.run()):
        await again.home.observer.on_connected()
    assert again.home.observer.occupied("door")


async def test_an_end_that_a_broker_took_in_the_end_is_published_once(without_snapshots, monkeypatch):
    house = without_snapshots
    await gone_for_long(house, monkeypatch)
    house.bus.away = False
    async with running(house.home.events.run()), running(house.home.observer.run()):
        await until("the memory written", lambda: not house.home.observer._store_waits)
    monkeypatch.undo()
    again = House(house.folder, cameras={"door": {"source": "test://", "snapshots": {"enabled": False}}})
    async with running(again.home.observer.run()):
        await again.home.observer.on_connected()
    assert not again.home.observer.occupied("door")


async def test_events_that_cannot_be_kept_end_when_the_gateway_stops(without_snapshots, monkeypatch):
    house = without_snapshots
    await there(house)
    await show(house, *range(1, 9))
    monkeypatch.setattr("gateway.state.state_file.write_whole", full)
    await house.home.publish_stopping()
    told = [event["type"] for event in house.bus.json("detections/door/event")]
    assert (told[0], told[-1]) == ("new", "end")
    assert count(house) == 0


def full(*_, **__):
    raise OSError(28, "No space left on device")
