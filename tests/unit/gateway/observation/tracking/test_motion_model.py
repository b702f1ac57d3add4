from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.observation.tracking.motion_model import HORIZON_S, Motion
from tests.unit.gateway.observation.tracking.moving import standing


def walked(steps, *, height=200.0, speed=150.0):
    """The motion of a walker seen after each of these seconds, and where he is."""
    x, motion = 300.0, Motion.from_box(standing(300.0, height=height))
    for seconds in steps:
        x += speed * seconds
        motion = motion.with_measured(standing(x, height=height), seconds)
    return motion, x


@pytest.mark.parametrize("fps", [0.5, 1, 2, 5, 10, 30])
def test_a_walker_is_where_he_was_predicted_whatever_the_frame_rate(fps):
    motion, x = walked([1 / fps] * 20)
    left, _, right, _ = motion.after(0.5).box
    assert (left + right) / 2 == pytest.approx(x + 75, abs=10)


@given(st.lists(st.floats(0.03, 1.0), min_size=12, max_size=30))
def test_a_walker_is_where_he_was_predicted_though_frames_come_irregularly(steps):
    motion, x = walked(steps)
    left, _, right, _ = motion.after(0.2).box
    assert (left + right) / 2 == pytest.approx(x + 30, abs=30)


@given(st.floats(0.01, 2), st.floats(0.01, 2))
def test_time_passes_in_one_step_or_in_two(first, second):
    motion, _ = walked([0.1] * 5)
    apart, together = motion.after(first).after(second), motion.after(first + second)
    assert apart.box == pytest.approx(together.box)
    assert apart.uncertainty == pytest.approx(together.uncertainty)


@given(st.floats(0.01, 2))
def test_the_longer_it_is_unseen_the_less_is_known(seconds):
    motion, _ = walked([0.1] * 5)
    assert motion.after(seconds).uncertainty > motion.uncertainty


def test_nothing_is_predicted_beyond_the_horizon():
    motion, _ = walked([0.1] * 20)
    assert motion.after(3600).box == motion.after(HORIZON_S).box


@given(st.floats(0.1, 10))
def test_a_larger_picture_of_the_same_moves_alike(times):
    small, _ = walked([0.2] * 6)
    large, _ = walked([0.2] * 6, height=200.0 * times, speed=150.0 * times)
    assert large.x.velocity == pytest.approx(small.x.velocity * times)
    assert large.uncertainty == pytest.approx([side * times for side in small.uncertainty])


def test_a_box_cut_off_at_the_knees_is_hardly_a_motion():
    motion, x = walked([0.1] * 20, speed=0.0)
    left, top, right, _ = standing(x)
    cut = motion.with_measured((left, top, right, 520.0), 0.1)
    raised = motion.with_measured((left, top - 40, right, 560.0), 0.1)
    moved = [motion.y.position - after.y.position for after in (cut, raised)]
    assert moved[0] < moved[1] / 2, "the middle of both boxes is 40 px higher, but one shows who has moved"


def test_a_box_without_area_is_survived():
    motion = Motion.from_box((5.0, 5.0, 5.0, 5.0)).with_measured((5.0, 5.0, 5.0, 5.0), 0.1)
    assert motion.after(1.0).box[2] >= motion.after(1.0).box[0]
