"""Another configuration of a running home, or of the one before."""

from __future__ import annotations

import json

import pytest

from shared.errors import BrokerError, ConfigurationError
from shared.mqtt import topics
from tests.settling import until
from tests.unit.gateway.houses import House, running


@pytest.fixture
def house(tmp_path):
    return House(tmp_path)


async def test_what_a_reload_has_changed_is_published_and_followed(house):
    await house.edges("pi-1")
    await house.home.on_connected()
    house.file = house.configuration(
        {"yard": {"source": "test://"}, "attic": {"source": "test://"}}, mqtt={"topic_prefix": "other"}
    )
    answer = await house.ask("reload")
    assert answer.ok
    assert (answer.data["added"], answer.data["removed"]) == (["yard", "attic"], ["door"])
    assert answer.data["needs_restart"] == ["mqtt"]
    assert house.served("pi-1") == {"yard", "attic"}
    assert json.loads(house.bus.retained["bridge/info"])["cameras"] == ["attic", "yard"]
    house.file = house.configuration({"yard": {"source": "test://"}, "attic": {"source": "test://"}})
    assert (await house.ask("reload")).ok
    assert not [where for where in house.bus.retained if where.startswith("cameras/door/")]


async def test_nothing_that_is_retained_shows_a_camera_that_was_removed(house):
    await house.edges("pi-1")
    await house.home.on_connected()
    for picture in ("snapshot", "person/snapshot"):
        await house.bus.publish_at(f"deepthings/detections/door/{picture}", "JPEG", retain=True)
    house.file = house.configuration(("yard",))
    async with running(house.home.observer.run()):
        await house.ask("reload")
        while await house.bus.next("detections/door/person/snapshot"):
            pass
    await house.home.cleaner.clear_stale()
    assert not [where for where in house.bus.retained if "/door/" in where]
    assert [where for where in house.bus.retained if "/yard/" in where]


async def test_what_left_the_file_while_the_gateway_was_away_is_cleared_when_it_is_back(tmp_path):
    zones = {"porch": {"coordinates": "0,0,1,0,1,1,0,1"}}
    door = {"source": "test://", "zones": zones}
    before = House(tmp_path, cameras={"door": door, "yard": door}, frigate_compat={"enabled": True})
    await before.home.on_connected()
    for topic in ("deepthings/detections/{}/zones/porch/person", "deepthings/detections/{}/car", "frigate/{}/car",
                  "deepthings/detections/{}/person", "deepthings/cameras/{}/stats", "frigate/{}/person/snapshot",
                  "deepthings/detections/{}/person/snapshot", "frigate/porch/person"):  # fmt: skip
        for camera in ("door", "yard"):
            await before.bus.publish_at(topic.format(camera), "1", retain=True)
    await before.home.publish_stopping()
    after = House(tmp_path, cameras={"door": {"source": "test://"}}, objects={"track": ["person"]})
    after.bus.retained = before.bus.retained
    await after.home.on_connected()
    left = {where for where in after.bus.retained if "/state" not in where and not where.startswith("bridge")}
    assert left == {
        "cameras/door/availability", "cameras/door/stats", "detections/door/all", "detections/door/person",
        "detections/door/person/snapshot",
    }  # fmt: skip
    assert not [where for where in after.bus.retained if "yard" in where or "frigate" in where]


async def test_a_camera_that_left_the_file_while_the_gateway_was_away_is_none_though_its_agent_still_runs(tmp_path):
    before = House(tmp_path)
    await before.home.on_connected()
    await before.hear(assigned=True)
    await before.home.publish_stopping()
    after = House(tmp_path, cameras=("yard",))
    after.bus.retained = before.bus.retained
    await after.hear(assigned=True)
    await after.home.on_connected()
    await after.hear(assigned=True, ended=True)
    assert not after.home.cameras.by_hand
    assert not [where for where in after.bus.retained if "door" in where]


async def test_what_was_set_of_a_camera_that_left_the_file_meanwhile_does_not_come_back_with_its_name(tmp_path):
    before = House(tmp_path)
    await before.hear("by-hand")
    for camera in ("door", "by-hand"):
        await before.bus.hear_plain(topics.CAMERA_SET, b"0.9", camera, "threshold")
    await before.home.publish_stopping()
    between = House(tmp_path, cameras=("yard",))
    await between.home.publish_stopping()
    after = House(tmp_path)
    assert after.home.cameras.effective_settings("door").threshold is None
    assert after.home.cameras.effective_settings("by-hand").threshold == 0.9


async def test_a_camera_that_was_started_by_hand_has_its_time_to_come_back(tmp_path, monkeypatch):
    before = House(tmp_path)
    await before.hear("by-hand")
    await before.home.publish_stopping()
    after = House(tmp_path)
    after.bus.retained = before.bus.retained
    await after.home.on_connected()
    assert "cameras/by-hand/availability" in after.bus.retained
    monkeypatch.setattr("gateway.retained.cleaner.BY_HAND_RETURN_S", 0.0)
    await after.home.cleaner.clear_stale()
    assert "cameras/by-hand/availability" not in after.bus.retained


async def test_when_the_gateway_stops_cameras_are_gone_before_counts_are_none(house):
    await house.hear()
    await house.home.cameras.mark_settled("door")
    house.bus.said.clear()
    await house.home.publish_stopping()
    assert house.bus.said[0] == ("cameras/door/availability", b"offline")


async def test_a_reload_while_the_broker_is_away_is_followed_when_it_is_back(house):
    await house.edges("pi-1")
    await house.home.on_connected()
    house.file = house.configuration(("yard",))
    house.bus.away = True
    assert (await house.home.reload())["added"] == ["yard"]
    house.bus.away = False
    async with running(house.home.observer.run()):
        await until("all changes taken", house.home.observer._changes.empty)
    await house.home.on_connected()
    assert not [where for where in house.bus.retained if "/door/" in where]
    assert house.served("pi-1") == {"yard"}


async def test_a_topic_that_cannot_be_cleared_keeps_no_other(house, monkeypatch):
    publish = house.bus.publish_at

    async def refusing(topic, payload, *, retain):
        if "+" in topic:
            raise BrokerError("no topic")
        await publish(topic, payload, retain=retain)

    await house.bus.publish_at("deepthings/detections/yard/car", "1", retain=True)
    house.home.cleaner._retained.note_topic("deepthings/detections/attic/+", retained=True)
    monkeypatch.setattr(house.bus, "publish_at", refusing)
    await house.home.cleaner.clear_stale()
    assert "detections/yard/car" not in house.bus.retained


async def test_a_reload_of_the_same_file_changes_nothing(house):
    await house.edges("pi-1")
    before = house.bus.retained["cluster/cameras/pi-1"]
    answer = await house.ask("reload")
    assert answer.ok
    assert not any(answer.data.values())
    assert house.bus.retained["cluster/cameras/pi-1"] == before


async def test_a_camera_whose_source_has_changed_begins_anew_and_another_goes_on(tmp_path):
    house = House(tmp_path, cameras=("door", "yard"))
    await house.edges("pi-1")
    before = json.loads(house.bus.retained["cluster/cameras/pi-1"])["cameras"]
    house.file = house.configuration({"door": {"source": "test://?a=1"}, "yard": {"source": "test://"}})
    assert (await house.ask("reload")).data["restarted"] == ["door"]
    after = json.loads(house.bus.retained["cluster/cameras/pi-1"])["cameras"]
    assert after["door"]["revision"] != before["door"]["revision"]
    assert after["yard"] == before["yard"]


async def test_a_file_that_is_wrong_changes_nothing_and_is_answered_with_what_is_wrong(house):
    await house.edges("pi-1")
    before = dict(house.bus.retained)
    house.file = ConfigurationError("deepthings.yaml:6: cameras.door.zons: unknown key; did you mean 'zones'?")
    answer = await house.ask("reload")
    assert (answer.ok, answer.error) == (False, str(house.file))
    assert {where: said for where, said in house.bus.retained.items() if where in before} == before
    house.file = house.configuration()
    assert (await house.ask("reload")).ok


async def test_a_reload_without_a_file_is_refused(tmp_path):
    house = House(tmp_path)
    house.home._read = None
    answer = await house.ask("reload")
    assert not answer.ok
    assert "started without a configuration file" in answer.error


async def test_a_reload_is_an_event(house):
    async with running(house.home.events.run()):
        await house.ask("reload")
        assert json.loads(await house.bus.next("bridge/event"))["type"] == "configuration_reloaded"
