from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.cluster.plan_choice import (
    FIRST_RETRY_S,
    LOAD_MEMORY_S,
    MAX_RETRY_S,
    MIN_DWELL_S,
    MIN_MEASURED_FRAMES,
    Division,
    PlanChoice,
    Prediction,
)
from tests.extent import examples

STEP_S = 0.1
GAIN = Prediction(whole=1.0, tiled=0.4)
TILES, WHOLE = Division.TILES, Division.WHOLE


def follow(choice, load, seconds, *, begin=0.0, prediction=GAIN, frame_s=None):
    """The choices while so many frames are under way, and frames in tiles take `frame_s`."""
    made = []
    for step in range(1, 1 + round(seconds / STEP_S)):
        made.append(choice.update(load, prediction, begin + step * STEP_S))
        if frame_s is not None and made[-1] is TILES:
            choice.add_tiled_frame(frame_s)
    return made


def changes(made):
    return sum(one is not other for one, other in pairwise(made))


def test_few_frames_are_divided_and_many_are_not():
    choice = PlanChoice()
    assert follow(choice, 1.0, 10)[-1] is TILES
    assert follow(choice, 6.0, 10, begin=10)[-1] is WHOLE
    assert follow(choice, 1.0, 20, begin=20)[-1] is TILES


@pytest.mark.parametrize("prediction", [Prediction(None, None), Prediction(None, 0.1), Prediction(1.0, None)])
def test_frames_stay_whole_before_anything_is_known(prediction):
    assert follow(PlanChoice(), 1.0, 10, prediction=prediction)[-1] is WHOLE


def test_frames_are_not_divided_for_little():
    assert follow(PlanChoice(), 1.0, 10, prediction=Prediction(1.0, 0.86))[-1] is WHOLE
    assert follow(PlanChoice(), 1.0, 10, prediction=Prediction(1.0, 0.84))[-1] is TILES


def test_frames_are_whole_again_when_it_is_not_known_any_more_what_tiles_take():
    choice = PlanChoice()
    follow(choice, 1.0, 5)
    assert follow(choice, 1.0, 5, begin=5, prediction=Prediction(1.0, None))[-1] is WHOLE


def test_a_choice_is_kept_for_a_while():
    choice = PlanChoice()
    first = follow(choice, 0.0, 1)
    assert first[-1] is TILES
    many = follow(choice, 100.0, 2 * MIN_DWELL_S, begin=1)
    assert many.index(WHOLE) == pytest.approx(MIN_DWELL_S / STEP_S - len(first), abs=1)


def test_measured_frames_count_more_than_the_prediction():
    choice = PlanChoice()
    slower = follow(choice, 1.0, 10, frame_s=1.5)
    assert slower[0] is TILES
    assert slower[-1] is WHOLE
    assert slower.count(TILES) >= MIN_MEASURED_FRAMES


def test_measured_times_are_those_of_a_frame_alone():
    """Four frames at once take four times as long: that is the load, and not slow tiles."""
    choice = PlanChoice()
    prediction = Prediction(1.0, 0.1)
    assert follow(choice, 4.0, 40, prediction=prediction, frame_s=0.4)[-1] is TILES


@pytest.mark.parametrize("load", [0.5, 1.0, 1.2])
def test_tiles_that_were_slower_are_tried_again_after_a_pause_that_grows(load):
    choice = PlanChoice()
    made = follow(choice, load, 5 * FIRST_RETRY_S, frame_s=1.5 * max(1.0, load))
    begins = [step for step in range(1, len(made)) if made[step] is TILES and made[step - 1] is WHOLE]
    ends = [step for step in range(1, len(made)) if made[step] is WHOLE and made[step - 1] is TILES]
    pauses = [(begin - end) * STEP_S for end, begin in zip(ends, begins, strict=False)]
    assert pauses == pytest.approx([FIRST_RETRY_S, 2 * FIRST_RETRY_S], abs=2 * STEP_S)


def test_the_pause_has_a_limit_and_other_devices_end_it():
    choice = PlanChoice()
    made, now = [], 0.0
    for _ in range(12):
        made += follow(choice, 1.0, 10, begin=now, frame_s=1.5)
        now += MAX_RETRY_S
    assert made[-1] is WHOLE
    assert choice._retry_s == MAX_RETRY_S
    assert follow(choice, 1.0, 10, begin=now - MAX_RETRY_S + 20)[-1] is WHOLE
    choice.forget_measurements()
    assert follow(choice, 1.0, 10, begin=now - MAX_RETRY_S + 30)[0] is TILES


def test_the_load_is_a_mean_of_the_last_seconds():
    choice = PlanChoice()
    follow(choice, 4.0, 5 * LOAD_MEMORY_S)
    assert choice.load == pytest.approx(4.0, rel=0.01)
    choice.update(100.0, GAIN, 5 * LOAD_MEMORY_S)
    assert choice.load == pytest.approx(4.0, rel=0.01)  # no time has passed
    choice.update(0.0, GAIN, 1000.0)
    assert choice.load == 0.0


def test_a_load_that_is_there_before_the_first_choice_counts():
    choice = PlanChoice()
    choice.follow_load(8.0, 1.0)
    assert choice.load == 8.0
    assert choice.update(8.0, GAIN, 1.1) is WHOLE


@settings(max_examples=examples(100))
@given(
    load=st.floats(0.2, 8),
    noise=st.lists(st.floats(-0.07, 0.07), min_size=150, max_size=400),
    whole_s=st.floats(0.05, 5),
)
def test_a_noisy_load_does_not_change_the_choice_back_and_forth(load, noise, whole_s):
    """Whatever the noise within 7 % is, the smoothed load stays within the distance of the two limits."""
    choice, prediction = PlanChoice(), Prediction(whole_s, 0.4 * whole_s)
    follow(choice, load, 10 * LOAD_MEMORY_S, prediction=prediction)
    begun = 10 * LOAD_MEMORY_S
    made = [choice.update(load * (1 + part), prediction, begun + step * STEP_S) for step, part in enumerate(noise, 1)]
    assert changes(made) <= 1


@settings(max_examples=examples(100))
@given(st.lists(st.floats(0, 50), min_size=100, max_size=300), st.floats(0.05, 2))
def test_no_load_at_all_changes_the_choice_more_often_than_once_in_a_while(loads, tiled_s):
    choice, changed_at = PlanChoice(), [float("-inf")]
    before = choice.division
    for step, load in enumerate(loads, 1):
        after = choice.update(load, Prediction(1.0, tiled_s), step * STEP_S)
        if after is not before:
            changed_at.append(step * STEP_S)
        before = after
    assert all(later - earlier >= MIN_DWELL_S for earlier, later in pairwise(changed_at))
