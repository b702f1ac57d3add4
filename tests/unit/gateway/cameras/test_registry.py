from __future__ import annotations

import pytest

from shared.errors import ConfigurationError
from shared.payloads.cluster import CameraAssignment
from tests.unit.gateway.cameras.camera_houses import CAMERAS, CameraHouse, let_milliseconds_pass


@pytest.fixture(autouse=True)
def _another_millisecond_each_time(monkeypatch):
    let_milliseconds_pass(monkeypatch)


@pytest.fixture
def house(tmp_path):
    return CameraHouse(tmp_path, **CAMERAS)


# which edge serves what


async def test_an_edge_is_told_its_cameras_and_where_to_ask_for_more(house):
    await house.cameras.update_nodes(["pi-1"])
    said = CameraAssignment.model_validate_json(house.bus.retained["cluster/cameras/pi-1"])
    assert (said.node, said.host, said.port) == ("pi-1", "10.0.0.1", 4000)
    told = {name: (ref.restart, ref.detect, ref.fps) for name, ref in said.cameras.items()}
    assert told == {"door": (0, True, 5), "yard": (0, False, 5)}


async def test_no_source_is_told_to_everyone(tmp_path):
    house = CameraHouse(tmp_path, door={"source": "rtsp://viewer:correct-horse@10.0.0.9/door"})
    await house.cameras.update_nodes(["pi-1"])
    await house.cameras.publish_retained()
    await house.set("door", "fps", b"no number")
    assert "rtsp" not in str(house.bus.said)
    assert "correct-horse" not in str(house.bus.said)


async def test_cameras_are_divided_among_the_edges(house):
    await house.cameras.update_nodes(["pi-1", "pi-2"])
    assert sorted([*house.assigned("pi-1"), *house.assigned("pi-2")]) == ["door", "yard"]


async def test_the_same_edges_again_are_told_nothing(house):
    await house.cameras.update_nodes(["pi-1", "pi-2"])
    house.bus.said.clear()
    await house.cameras.update_nodes(["pi-1", "pi-2"])
    assert house.bus.said == []


async def test_cameras_of_an_edge_that_goes_move_and_stay_there_when_it_comes_back(house):
    await house.cameras.update_nodes(["pi-1", "pi-2"])
    await house.cameras.update_nodes(["pi-2"])
    assert set(house.assigned("pi-2")) == {"door", "yard"}
    await house.cameras.update_nodes(["pi-1", "pi-2"])
    assert (house.assigned("pi-1"), set(house.assigned("pi-2"))) == ({}, {"door", "yard"})


async def test_an_edge_that_is_drained_is_told_that_it_serves_none(house):
    await house.cameras.update_nodes(["pi-1", "pi-2"])
    await house.cameras.update_nodes(["pi-1", "pi-2"], {"pi-1"})
    assert (house.assigned("pi-1"), set(house.assigned("pi-2"))) == ({}, {"door", "yard"})


async def test_a_camera_stays_with_no_one_rather_than_with_an_edge_that_it_does_not_name(tmp_path):
    house = CameraHouse(tmp_path, door={"edge": "pi-2"})
    await house.cameras.update_nodes(["pi-1"])
    assert house.assigned("pi-1") == {}
    await house.cameras.update_nodes(["pi-1", "pi-2"])
    assert set(house.assigned("pi-2")) == {"door"}
    await house.cameras.update_nodes(["pi-1", "pi-2"], {"pi-2"})
    assert house.assigned("pi-1") == house.assigned("pi-2") == {}


async def test_a_camera_that_is_switched_off_is_nobodys(house):
    await house.cameras.update_nodes(["pi-1"])
    await house.set("door", "enabled", b"OFF")
    assert set(house.assigned("pi-1")) == {"yard"}
    await house.set("door", "enabled", b"ON")
    assert set(house.assigned("pi-1")) == {"door", "yard"}


async def test_while_the_broker_is_away_nothing_is_believed_to_be_told(house):
    house.bus.away = True
    await house.cameras.update_nodes(["pi-1"])
    house.bus.away = False
    await house.cameras.update_nodes(["pi-1"])
    assert set(house.assigned("pi-1")) == {"door", "yard"}


# what an edge may know


async def test_an_edge_gets_the_settings_of_the_revision_that_it_was_told(house):
    await house.cameras.update_nodes(["pi-1"])
    revision = house.assigned("pi-1")["door"].revision
    assert house.cameras.agent_settings("door", revision).fps == 5
    assert house.cameras.agent_settings("door", revision - 1) is None
    assert house.cameras.agent_settings("attic", revision) is None


async def test_a_restart_is_asked_for_of_one_camera(house):
    await house.cameras.update_nodes(["pi-1"])
    before = house.assigned("pi-1")
    await house.cameras.restart_camera("door")
    after = house.assigned("pi-1")
    assert after["door"].restart not in {0, before["door"].restart}
    assert (after["door"].revision, after["yard"]) == (before["door"].revision, before["yard"])
    await house.cameras.restart_camera("door")
    assert house.assigned("pi-1")["door"].restart != after["door"].restart


async def test_a_gateway_that_starts_again_tells_the_same_revisions(house):
    await house.cameras.update_nodes(["pi-1"])
    before = house.assigned("pi-1")
    again = CameraHouse(house.folder, door={"fps": 5}, yard={"detect": {"enabled": False}})
    await again.cameras.update_nodes(["pi-1"])
    assert again.assigned("pi-1") == before
    other = CameraHouse(house.folder, door={"fps": 5, "rotate": 90}, yard={"detect": {"enabled": False}})
    await other.cameras.update_nodes(["pi-1"])
    assert other.assigned("pi-1")["door"].revision != before["door"].revision
    assert other.assigned("pi-1")["yard"] == before["yard"]


async def test_a_revision_tells_nothing_of_a_password(tmp_path):
    """Who has not the key cannot try passwords against it."""
    source = {"source": "rtsp://viewer:1234@10.0.0.9/door"}
    houses = [CameraHouse(tmp_path / name, door=source) for name in ("one", "other")]
    for house in houses:
        await house.cameras.update_nodes(["pi-1"])
    assert len({house.assigned("pi-1")["door"].revision for house in houses}) == 2
    assert (tmp_path / "one" / "revisions.key").stat().st_mode & 0o077 == 0


async def test_after_a_start_every_camera_stays_at_its_edge(house):
    await house.cameras.update_nodes(["pi-1", "pi-2"])
    before = {node: set(house.assigned(node)) for node in ("pi-1", "pi-2")}
    again = CameraHouse(house.folder, door={"fps": 5}, yard={"detect": {"enabled": False}})
    await again.cameras.update_nodes(["pi-2"])
    assert set(again.assigned("pi-2")) == before["pi-2"]
    await again.cameras.update_nodes(["pi-1", "pi-2"])
    assert {node: set(again.assigned(node)) for node in ("pi-1", "pi-2")} == before


async def test_edges_that_a_gateway_did_not_live_to_see_are_waited_for_by_the_next_one(house):
    await house.cameras.update_nodes(["pi-1", "pi-2"])
    before = set(house.assigned("pi-1"))
    for _ in range(2):
        again = CameraHouse(house.folder, door={"fps": 5}, yard={"detect": {"enabled": False}})
        await again.cameras.update_nodes(["pi-1"])
        assert set(again.assigned("pi-1")) == before


async def test_a_camera_that_is_not_configured_cannot_be_restarted(house):
    await house.hear("by-hand")
    with pytest.raises(ConfigurationError, match="camera 'by-hand' is not configured; configured cameras: door, yard"):
        await house.cameras.restart_camera("by-hand")


# a broker that has forgotten everything, and another configuration


async def test_a_broker_that_has_forgotten_everything_is_told_everything(house):
    await house.cameras.update_nodes(["pi-1"])
    await house.hear()
    await house.set("yard", "threshold", b"0.6")
    await house.cameras.publish_retained()
    assert house.bus.retained["cameras/yard/threshold/state"] == b"0.6"
    before = dict(house.bus.retained)
    house.bus.forget()
    await house.cameras.publish_retained()
    assert house.bus.retained == before
    assert before.keys() == {
        "cluster/cameras/pi-1", "cameras/door/availability", "cameras/yard/availability", "cameras/door/enabled/state",
        "cameras/yard/enabled/state", "cameras/door/detect/state", "cameras/yard/detect/state",
        "cameras/door/fps/state", "cameras/yard/fps/state", "cameras/door/threshold/state",
        "cameras/yard/threshold/state", "cameras/door/labels/state", "cameras/yard/labels/state",
        "cameras/door/motion/state", "cameras/yard/motion/state",
    }  # fmt: skip


async def test_a_camera_that_was_never_heard_of_is_offline_from_the_start(house):
    await house.cameras.publish_retained()
    assert house.bus.retained["cameras/door/availability"] == b"offline"


async def test_with_another_configuration_some_cameras_begin_anew_and_others_go_on(house):
    await house.cameras.update_nodes(["pi-1"])
    before = house.assigned("pi-1")
    await house.cameras.reload(house.configured(door={"fps": 7}, yard={}, attic={}), [])
    after = house.assigned("pi-1")
    assert after.keys() == {"door", "yard", "attic"}
    assert after["door"].revision != before["door"].revision
    assert (after["door"].fps, after["yard"].revision) == (7, before["yard"].revision)
    assert after["yard"].detect
    assert house.cameras.agent_settings("attic", after["attic"].revision) is not None
    assert house.cameras.configured == ("attic", "door", "yard")
    assert house.bus.retained["cameras/attic/availability"] == b"offline"


async def test_a_camera_that_was_removed_is_forgotten(house):
    await house.cameras.update_nodes(["pi-1"])
    await house.hear()
    await house.set("door", "threshold", b"0.7")
    await house.cameras.publish_retained()
    house.changed.clear()
    await house.cameras.reload(house.configured(yard={}), ["door"])
    await house.hear("door", ended=True)
    assert "cameras/door/stats" in {where for where, payload in house.bus.said if not payload}
    assert set(house.assigned("pi-1")) == {"yard"}
    assert house.cameras.online == ()
    assert "door" in house.changed
    again = CameraHouse(house.folder, door={})
    assert again.cameras.effective_settings("door").threshold is None


async def test_when_the_gateway_stops_no_camera_is_there_not_even_one_without_detection(house):
    await house.hear("door")
    await house.cameras.mark_settled("door")
    await house.hear("yard")
    assert house.bus.retained["cameras/yard/availability"] == b"online"
    await house.cameras.publish_offline()
    assert {house.bus.retained[f"cameras/{name}/availability"] for name in ("door", "yard")} == {b"offline"}


async def test_what_was_set_holds_after_another_configuration(house):
    await house.set("door", "detect", b"OFF")
    await house.cameras.reload(house.configured(door={}, yard={}), [])
    assert not house.cameras.effective_settings("door").detect
