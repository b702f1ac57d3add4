from __future__ import annotations

import json

import pytest

from gateway import home as module
from shared.payloads.bridge import BridgeEventType, BridgeInfo
from tests.unit.gateway.houses import TOLD, House, running


@pytest.fixture
def house(tmp_path):
    return House(tmp_path)


# at a birth


async def test_a_late_subscriber_receives_the_gateways_info_and_the_states_of_its_cameras(house):
    await house.edges("pi-1")
    await house.hear()
    await house.home.on_connected()
    info = BridgeInfo.model_validate_json(house.bus.retained["bridge/info"])
    assert info == TOLD
    assert house.bus.retained["cameras/door/availability"] == b"offline", "no frame of it was processed yet"
    assert "detections/door/all" not in house.bus.retained
    assert house.served("pi-1") == {"door"}


async def test_after_a_reconnect_everything_is_published_again(house):
    await house.edges("pi-1")
    await house.hear()
    await house.home.on_connected()
    before = dict(house.bus.retained)
    house.bus.forget()
    await house.home.on_connected()
    assert house.bus.retained == before


# edges


async def test_an_edge_that_is_drained_serves_no_camera_and_takes_no_tiles_until_it_is_resumed(house):
    await house.edges("pi-1", "pi-2")
    (serving,) = [name for name in ("pi-1", "pi-2") if house.served(name)]
    (other,) = {"pi-1", "pi-2"} - {serving}
    answer = await house.ask("drain_node", node=serving)
    assert (answer.ok, answer.data) == (True, {"node": serving, "drained": [serving]})
    assert (house.served(serving), house.served(other)) == (set(), {"door"})
    assert (house.members.is_drained(serving), house.members.is_drained(other)) == (True, False)
    answer = await house.ask("resume_node", node=serving)
    assert (answer.ok, answer.data) == (True, {"node": serving, "drained": []})
    assert not house.members.is_drained(serving)


async def test_an_edge_that_is_drained_stays_so_when_it_comes_back(house):
    await house.edges("pi-1")
    await house.ask("drain_node", node="pi-1")
    await house.edges(gone=["pi-1"])
    await house.edges("pi-1")
    assert house.members.is_drained("pi-1")
    assert house.served("pi-1") == set()


async def test_an_edge_that_is_not_there_cannot_be_drained(house):
    await house.edges("pi-1")
    answer = await house.ask("drain_node", node="pi-9")
    assert (answer.ok, answer.error) == (False, "edge 'pi-9' not found; present: pi-1")
    assert not house.members.is_drained("pi-9")


async def test_a_camera_of_an_edge_that_died_while_the_gateway_was_away_is_not_there(house):
    """Its account is retained, and says that all is well."""
    await house.hear("door", "pi-1")
    await house.edges(gone=["pi-1"])
    assert house.bus.retained["cameras/door/availability"] == b"offline"


# requests


async def test_an_info_request_is_answered_with_what_this_gateway_runs(house):
    answer = await house.ask("info", transaction=7)
    assert (answer.ok, answer.transaction) == (True, 7)
    assert BridgeInfo.model_validate(answer.data) == TOLD


async def test_a_camera_is_restarted_by_another_number(house):
    await house.edges("pi-1")

    def restart():
        return json.loads(house.bus.retained["cluster/cameras/pi-1"])["cameras"]["door"]["restart"]

    before = restart()
    answer = await house.ask("restart_camera", camera="door")
    assert (answer.ok, answer.data) == (True, {"camera": "door"})
    assert restart() != before


@pytest.mark.parametrize("command", ["restart_camera", "snapshot"])
async def test_a_camera_that_is_not_there_is_answered_with_those_that_are(house, command):
    answer = await house.ask(command, camera="attic")
    assert not answer.ok
    assert "'attic'" in answer.error
    assert "door" in answer.error


@pytest.mark.parametrize(
    ("command", "what"),
    [("restart_camera", "camera"), ("snapshot", "camera"), ("drain_node", "node"), ("resume_node", "node")],
)
async def test_a_request_that_names_nothing_is_answered_with_what_it_must_name(house, command, what):
    answer = await house.ask(command)
    assert (answer.ok, answer.error) == (False, f'the request must name a {what}, as {{"{what}": "..."}}')


async def test_a_snapshot_may_be_requested_of_a_camera_that_was_started_by_hand(house):
    await house.hear("by-hand")
    assert (await house.ask("snapshot", camera="by-hand")).ok


# events


async def test_what_happens_to_the_cluster_is_an_event_with_name_reason_and_time(house, monkeypatch):
    monkeypatch.setattr(module.time, "time", lambda: 1.7e9)
    house.home.on_cluster_event(BridgeEventType.NODE_LOST, "pi-1", "its power failed")
    async with running(house.home.events.run()):
        assert json.loads(await house.bus.next("bridge/event")) == {
            "type": "node_lost", "name": "pi-1", "reason": "its power failed", "at": 1.7e9,
        }  # fmt: skip
