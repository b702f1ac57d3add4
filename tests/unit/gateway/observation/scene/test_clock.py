from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.observation.scene.clock import MAX_PAUSE_S, CameraClock
from tests.unit.gateway.observation.scene.filming import Camera, person

LOITERED = {"yard": {"coordinates": ((0, 0), (1, 0), (1, 1), (0, 1)), "loitering_time": 60}}


def times(captured, heard=None, session="door-1"):
    clock = CameraClock()
    heard = captured if heard is None else heard
    pairs = zip(captured, heard, strict=True)
    return [clock.tick(f"{session}-{n}", n, at, when, 0.2) for n, (at, when) in enumerate(pairs)]


def test_a_clock_that_is_not_set_is_the_cameras():
    captured = [1e9, 1e9 + 0.2, 1e9 + 1.7, 1e9 + 31.7]
    assert times(captured, [at - 1e9 for at in captured]) == pytest.approx(captured, abs=1e-6)


@pytest.mark.parametrize("set_by_s", [-86400, -70, -50, -5.5, -0.3, 5.5, 3600, 1e8])
def test_seconds_go_on_when_the_clock_is_set(set_by_s):
    heard = [0.2 * n for n in range(10)]
    captured = [1e9 + at + (set_by_s if n >= 5 else 0) for n, at in enumerate(heard)]
    steps = [after - before for before, after in pairwise(times(captured, heard))]
    assert steps == pytest.approx([0.2] * 9, abs=1e-3)


def test_nobody_knows_what_happened_in_a_long_pause():
    before, after = times([1e9, 1e9 + 3600])
    assert after - before < MAX_PAUSE_S


def test_a_frame_is_late_by_its_number_whatever_the_clock_says():
    clock = CameraClock()
    clock.tick("door-1-000005", 5, 1e9, 0, 0.2)
    assert clock.is_late("door-1-000004", 4, 1e9 + 1)
    assert clock.is_late("door-1-000005", 5, 1e9)
    assert not clock.is_late("door-1-000006", 6, 1e9 - 50)
    assert not clock.is_late("door-2-000000", 0, 1e9 - 50), "its agent was started again"


@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(0, 100)), min_size=2, max_size=20))
def test_seconds_only_grow(steps):
    clock, captured, heard, last = CameraClock(), 1e9, 0.0, 0.0
    for number, (set_by, passed) in enumerate(steps):
        captured, heard = captured + set_by + passed, heard + passed
        at = clock.tick(f"door-1-{number}", number, captured, heard, 0.2)
        assert at > last
        last = at


@pytest.mark.parametrize("steady", [False, True])
@pytest.mark.parametrize("back_s", [0.3, 20, 50, 70, 86400])
def test_a_clock_that_is_set_back_hides_nobody(steady, back_s):
    gate = Camera(fps=5)
    gate.steady = steady
    gate.film(person(100), frames=20)
    gate.set_by_s -= back_s
    gate.film(person(100), frames=5)
    assert gate.film(person(100), person(800), frames=3).all.count == 2
    assert gate.kinds() == ["new", "new"]


@pytest.mark.parametrize("steady", [False, True])
def test_a_clock_that_is_set_forward_makes_nobody_loiter_and_nobody_leave(steady):
    gate = Camera(fps=5, zones=LOITERED, stationary_after=100)
    gate.steady = steady
    gate.film(person(100), frames=20)
    gate.set_by_s += 3600
    state = gate.film(person(100), frames=20)
    assert gate.words() == ["person_appeared"]
    assert (state.all.objects[0].stationary, gate.kinds()) == (False, ["new"])
