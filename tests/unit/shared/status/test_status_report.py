from __future__ import annotations

import json

import pytest

from shared.payloads.cluster import NodeReport, State, TileCounts
from shared.status.status_report import Status, build_status
from tests.unit.shared.status.clusters import ATTIC, DOOR, GATEWAY, HALL, HEALTH, NOW, SHED, facts_of


def report_of(*, at=NOW, **changes):
    return build_status(facts_of(**changes), GATEWAY, "192.168.1.5:1883", at)


def said(status):
    return [problem.what for problem in status.problems]


def test_the_gateway_says_where_it_is_and_what_it_runs():
    gateway = report_of().gateway
    assert (gateway.release, gateway.device, gateway.broker) == ("1.2.0", "nas (192.168.1.5)", "192.168.1.5:1883")
    assert (gateway.model, gateway.method, gateway.grid) == ("nanodet-g", "whole", "1x1")
    assert (gateway.up_s, gateway.frames_per_s, gateway.published, gateway.dropped) == (90_000, 9.87, 852_114, 1290)


def test_an_edge_says_what_of_its_device_works():
    attic = report_of().edges["attic"]
    assert (attic.state, attic.address, attic.same_release) == (State.ONLINE, "192.168.1.31:7701", True)
    assert (attic.cores, attic.cores_busy, attic.threads, attic.temperature) == (4, 2.1, 2, 61.5)
    assert (attic.lanes, attic.usable_cores) == (2, 3.5)
    assert (attic.tiles, attic.tiles_per_s, attic.cameras) == (TileCounts(own=422, stolen=214), 31.4, ("front_door",))


def test_what_an_older_edge_does_not_tell_is_not_known():
    shed = report_of().edges["shed"]
    assert (shed.cores, shed.cores_busy, shed.threads, shed.temperature) == (None, None, None, None)
    assert (shed.lanes, shed.usable_cores) == (None, None)
    assert not shed.same_release


def test_a_camera_says_which_edge_has_it_and_how_it_is():
    cameras = report_of().cameras
    door, garden = cameras["front_door"], cameras["garden"]
    assert (door.edge, door.state, door.frames_per_s, door.source_fps) == ("attic", "online", 4.9, 5.0)
    assert (door.width, door.height, door.published, door.dropped) == (768, 576, 1270, 20)
    assert (garden.state, garden.reason, garden.frames_per_s, garden.width) == (
        "offline", "no picture for 30 s", None, None,
    )  # fmt: skip


def test_a_camera_of_which_nothing_was_heard_is_there_all_the_same():
    cameras = report_of(cameras=()).cameras
    assert {name: (camera.state, camera.edge) for name, camera in cameras.items()} == {
        "front_door": ("unknown", ""), "garden": ("unknown", ""),
    }  # fmt: skip


def test_a_camera_that_is_not_configured_was_started_by_hand():
    cameras = report_of(cameras=(DOOR, DOOR.model_copy(update={"camera": "campus"}))).cameras
    assert {name: camera.configured for name, camera in cameras.items()} == {
        "campus": False, "front_door": True, "garden": True,
    }  # fmt: skip


def test_a_source_that_has_ended_is_offline():
    ended = DOOR.model_copy(update={"ended": True, "reason": "ended"})
    door = report_of(cameras=(ended,)).cameras["front_door"]
    assert (door.state, door.frames_per_s) == ("offline", None)


def test_problems_are_those_of_the_gateway_with_their_cures():
    first, *_ = report_of().problems
    assert first.what == "camera garden: no picture for 30 s"
    assert "power and network" in first.cure


@pytest.mark.parametrize(
    ("node", "words"),
    [
        (HALL, "edge x is offline"),
        (SHED, "edge x has release 1.1.0, the gateway 1.2.0"),
        (NodeReport(state=State.REFUSED, address="", version="0.1", reason="it is old: install"), "edge x is refused:"),
        (NodeReport(state=State.ONLINE, address="", version=""), "edge x has release unknown, the gateway 1.2.0"),
    ],
)
def test_edges_that_do_not_fit_are_problems(node, words):
    (told,) = said(report_of(health=HEALTH.model_copy(update={"problems": ()}), x=node))
    assert told.startswith(words)


def test_nothing_is_wrong_where_all_is_well():
    assert said(report_of(health=HEALTH.model_copy(update={"problems": ()}), attic=ATTIC)) == []


def test_a_gateway_that_has_long_said_nothing_may_be_gone():
    assert any("has not published for 10 minutes" in line for line in said(report_of(at=HEALTH.at + 600)))


def test_what_cannot_be_read_is_a_problem():
    facts = facts_of(attic=ATTIC)
    facts.on_message("deepthings/bridge/info", b"{}")
    status = build_status(facts, GATEWAY, "b", NOW)
    assert said(status)[-1] == "the gateway's message at deepthings/bridge/info cannot be read"
    assert status.gateway.model == ""


def test_a_gateway_that_has_told_nothing_else_yet_is_reported():
    status = build_status(facts_of(info=None, health=None, cameras=()), GATEWAY, "b", NOW)
    assert (status.gateway.up_s, status.cameras) == (None, {})


def test_the_report_is_one_object_of_json():
    status = report_of()
    text = status.model_dump_json()
    assert "\n" not in text
    assert Status.model_validate(json.loads(text)) == status
