from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.observation.scene.states import SceneState
from gateway.observation.state_publisher import (
    BOXES_PERIOD_S,
    CHANGE_PERIOD_S,
    MAX_CHANGES_AT_ONCE,
    StatePublisher,
)
from shared.payloads.observations import FollowedObject, LabelState
from tests.unit.gateway.buses import StandInBus

PERSON = "detections/door/person"
ALL = "detections/door/all"


def found(number=1, label="person", *, left=0.0, zones=(), stationary=False):
    box = (left, 0.0, left + 10, 10.0)
    return FollowedObject(
        id=f"{number}", label=label, score=0.8, box=box, box_rel=(0, 0, 1, 1), zones=zones, stationary=stationary
    )


def state_of(objects, frame):
    active = sum(not each.stationary for each in objects)
    return LabelState(count=len(objects), active=active, objects=tuple(objects), frame=frame)


def scene(*objects, labels=("person", "traffic light"), zones=("porch",), frame="door-1"):
    def by_label(those):
        return {label: state_of([each for each in those if each.label == label], frame) for label in labels}

    inside = {name: [each for each in objects if name in each.zones] for name in zones}
    return SceneState(
        state_of(objects, frame),
        by_label(objects),
        {name: {"all": state_of(those, frame), **by_label(those)} for name, those in inside.items()},
    )


@pytest.fixture
def bus():
    return StandInBus()


@pytest.fixture
def publisher(bus):
    return StatePublisher(bus)


def counts(bus):
    """What a subscriber that comes late hears."""
    return {where: json.loads(payload)["count"] for where, payload in bus.retained.items()}


async def test_the_first_state_is_published_for_every_label_and_zone_also_where_nothing_is(publisher, bus):
    await publisher.publish_state("door", scene(found(zones=("porch",))), 0)
    assert counts(bus) == {
        "detections/door/all": 1,
        "detections/door/person": 1,
        "detections/door/traffic_light": 0,
        "detections/door/zones/porch/all": 1,
        "detections/door/zones/porch/person": 1,
        "detections/door/zones/porch/traffic_light": 0,
    }


async def test_what_has_not_changed_is_not_published_again(publisher, bus):
    await publisher.publish_state("door", scene(found()), 0)
    bus.said.clear()
    await publisher.publish_state("door", scene(found(), frame="door-2"), 100)
    assert bus.said == []


async def test_only_what_has_changed_is_published_at_once(publisher, bus):
    await publisher.publish_state("door", scene(found()), 0)
    bus.said.clear()
    await publisher.publish_state("door", scene(found(), found(2)), 0.01)
    assert {where for where, _ in bus.said} == {PERSON, ALL}
    assert counts(bus)[PERSON] == 2


@pytest.mark.parametrize(
    "other", [found(2), found(zones=("porch",)), found(stationary=True)], ids=["another", "in a zone", "at rest"]
)
async def test_another_object_zone_or_rest_is_a_change(publisher, bus, other):
    await publisher.publish_state("door", scene(found()), 0)
    bus.said.clear()
    await publisher.publish_state("door", scene(other), 0.01)
    assert PERSON in {where for where, _ in bus.said}


async def test_boxes_alone_are_published_now_and_then_and_the_last_one_in_the_end(publisher, bus):
    await publisher.publish_state("door", scene(found()), 10)
    for step in range(1, 10):
        await publisher.publish_state("door", scene(found(left=step)), 10 + step * BOXES_PERIOD_S / 10)
    assert len(bus.payloads(PERSON)) == 1
    await publisher.publish_state("door", scene(found(left=9)), 10 + BOXES_PERIOD_S)
    assert [said["objects"][0]["box"][0] for said in bus.json(PERSON)] == [0, 9]


async def test_a_box_at_rest_that_trembles_is_not_published_again_until_it_has_moved(publisher, bus):
    await publisher.publish_state("door", scene(found(stationary=True)), 10)
    for step in range(1, 20):
        trembling = scene(found(stationary=True, left=0.3 * (step % 2)))
        await publisher.publish_state("door", trembling, 10 + step * BOXES_PERIOD_S)
    assert len(bus.payloads(PERSON)) == 1
    await publisher.publish_state("door", scene(found(stationary=True, left=0.6)), 1000)
    assert [said["objects"][0]["box"][0] for said in bus.json(PERSON)] == [0, 0.6]


async def change_again_and_again(publisher, changes, now=10.0, *, period_s=0.01):
    """Publish a state of one person, then so many states that differ from those before; return the last time."""
    await publisher.publish_state("door", scene(found()), now)
    for step in range(changes):
        now += period_s
        await publisher.publish_state("door", scene(found(stationary=step % 2 == 0)), now)
    return now


async def test_changes_without_end_are_published_now_and_then_and_the_last_one_in_the_end(publisher, bus):
    now = await change_again_and_again(publisher, MAX_CHANGES_AT_ONCE + 3)
    assert len(bus.payloads(PERSON)) == 1 + MAX_CHANGES_AT_ONCE
    assert bus.json(PERSON)[-1]["active"] == 1
    await publisher.publish_state("door", scene(found(stationary=True)), now + CHANGE_PERIOD_S)
    assert len(bus.payloads(PERSON)) == 2 + MAX_CHANGES_AT_ONCE
    assert bus.json(PERSON)[-1]["active"] == 0


async def test_changes_that_come_slowly_are_all_published_at_once(publisher, bus):
    await change_again_and_again(publisher, 20, period_s=CHANGE_PERIOD_S)
    assert len(bus.payloads(PERSON)) == 21


async def test_after_a_pause_as_many_changes_are_published_at_once_as_before(publisher, bus):
    now = await change_again_and_again(publisher, 20)
    bus.said.clear()
    await change_again_and_again(publisher, 20, now + 100)
    assert len(bus.payloads(PERSON)) == 1 + MAX_CHANGES_AT_ONCE - 1, "the person who moves on again is a change, too"


async def test_whether_somebody_is_there_never_waits(publisher, bus):
    now = await change_again_and_again(publisher, 20)
    for step in range(4):
        await publisher.publish_state("door", scene(*([found()] if step % 2 else [])), now + 0.01 * step)
        assert counts(bus)[PERSON] == step % 2


async def test_cameras_do_not_mix(publisher, bus):
    await publisher.publish_state("door", scene(found()), 0)
    await publisher.publish_state("yard", scene(), 0)
    assert (counts(bus)["detections/door/person"], counts(bus)["detections/yard/person"]) == (1, 0)


async def test_a_camera_that_comes_back_is_published_whole(publisher, bus):
    await publisher.publish_state("door", scene(), 0)
    publisher.forget_camera("door")
    bus.forget()
    await publisher.publish_state("door", scene(), 1)
    assert len(bus.retained) == 6


async def test_a_label_that_comes_back_is_published(publisher, bus):
    await publisher.publish_state("door", scene(), 0)
    await publisher.publish_state("door", scene(labels=("dog",), zones=()), 1)
    bus.forget()
    await publisher.publish_state("door", scene(), 2)
    assert {PERSON, "detections/door/zones/porch/person"} <= set(bus.retained)


async def test_after_a_reconnect_everything_is_published_again(publisher, bus):
    states = {"door": scene(found()), "yard": scene()}
    for camera, state in states.items():
        await publisher.publish_state(camera, state, 0)
    before = dict(bus.retained)
    bus.forget()
    await publisher.republish_states(states)
    assert bus.retained == before


async def test_after_that_only_changes_are_published(publisher, bus):
    await publisher.republish_states({"door": scene(found())})
    bus.said.clear()
    await publisher.publish_state("door", scene(found()), 100)
    assert bus.said == []
    await publisher.publish_state("door", scene(), 100)
    assert counts(bus)[PERSON] == 0


async def test_what_the_broker_did_not_take_is_published_when_there_is_one(publisher, bus):
    await publisher.publish_state("door", scene(), 0)
    bus.away = True
    await publisher.publish_state("door", scene(found()), 1)
    bus.away = False
    await publisher.publish_state("door", scene(found()), 2)
    assert counts(bus)[PERSON] == counts(bus)[ALL] == 1


objects = st.lists(
    st.builds(
        found,
        number=st.integers(1, 3),
        label=st.sampled_from(["person", "dog"]),
        left=st.integers(0, 2),
        zones=st.sampled_from([(), ("porch",)]),
        stationary=st.booleans(),
    ),
    max_size=3,
    unique_by=lambda each: each.id,
)
labels = st.sets(st.sampled_from(["person", "dog", "cat"])).map(sorted).map(tuple)
zones = st.sampled_from([(), ("porch",), ("porch", "lawn")])


@given(st.lists(st.tuples(objects, labels, zones, st.booleans(), st.floats(0, 2)), min_size=1, max_size=12))
async def test_a_late_subscriber_receives_the_last_scene(steps):
    """But for boxes, which are told when it is their time."""
    bus = StandInBus()
    publisher, now = StatePublisher(bus), 0.0
    for seen, followed, drawn, away, passed_s in steps:
        now += passed_s
        bus.away = away
        state = scene(*seen, labels=followed, zones=drawn)
        await publisher.publish_state("door", state, now)
    bus.away = False
    await publisher.publish_state("door", state, now + BOXES_PERIOD_S)
    expected = {"detections/door/all": state.all}
    expected |= {f"detections/door/{label}": value for label, value in state.labels.items()}
    expected |= {
        f"detections/door/zones/{zone}/{label}": value
        for zone, by_label in state.zones.items()
        for label, value in by_label.items()
    }
    assert {where: LabelState.model_validate_json(bus.retained[where]) for where in expected} == expected
