from __future__ import annotations

import pytest

from gateway.observation.scene.states import same_state
from shared.payloads.observations import FollowedObject, LabelState
from tests.unit.gateway.observation.scene.filming import BEGIN, Camera, person


def test_before_the_first_frame_all_counts_are_there_and_0():
    state = Camera(zones={"yard": {"coordinates": ((0, 0), (1, 0), (1, 1))}}).scene.state()
    assert set(state.labels) == {"person", "car"}
    assert set(state.zones["yard"]) == {"all", "person", "car"}
    assert all(one == LabelState(count=0, active=0) for one in (state.all, *state.labels.values()))


def test_states_tell_what_is_there_by_label():
    gate = Camera()
    state = gate.film(person(100), person(300), person(600, label="car", width=200), frames=3, degraded=True)
    assert {label: one.count for label, one in state.labels.items()} == {"person": 2, "car": 1}
    assert (state.all.count, state.all.active) == (3, 3)
    assert [found.id for found in state.all.objects] == sorted(found.id for found in state.all.objects)
    assert state.all.frame == "gate-2"
    assert (state.all.captured_at, state.all.latency_ms, state.all.degraded) == (BEGIN + 0.2, 50, True)
    (car,) = state.labels["car"].objects
    assert (car.box, car.box_rel) == ((500, 300, 700, 400), (0.5, 0.6, 0.7, 0.8))


def test_who_is_out_of_sight_for_a_moment_still_counts():
    gate = Camera(max_disappeared=2)
    gate.film(person(100), frames=3)
    assert gate.film(frames=20).all.count == 1
    assert gate.film(frames=1).all.count == 0


def test_active_are_those_that_are_not_stationary():
    gate = Camera(stationary_after=2)
    for n in range(30):
        state = gate.film(person(100), person(200 + 15 * n))
    assert (state.all.count, state.all.active) == (2, 1)


ONE = FollowedObject(id="a", label="person", score=0.8, box=(0, 0, 1, 1), box_rel=(0, 0, 1, 1))
STATE = LabelState(count=1, active=1, objects=(ONE,), frame="f", captured_at=1, latency_ms=1)


ELSEWHERE = ONE.model_copy(update={"score": 0.9, "box": (1, 1, 2, 2)})


@pytest.mark.parametrize(
    "change", [{"frame": "g"}, {"captured_at": 2.0}, {"latency_ms": 9.0}, {"objects": (ELSEWHERE,)}]
)
def test_boxes_scores_and_times_do_not_make_a_state_another(change):
    assert same_state(STATE, STATE.model_copy(update=change))


@pytest.mark.parametrize(
    "change",
    [
        {"count": 2},
        {"active": 0},
        {"degraded": True},
        {"objects": ()},
        {"objects": (ONE.model_copy(update={"id": "b"}),)},
        {"objects": (ONE.model_copy(update={"zones": ("yard",)}),)},
        {"objects": (ONE.model_copy(update={"stationary": True}),)},
    ],
)
def test_anything_else_does(change):
    assert not same_state(STATE, STATE.model_copy(update=change))
