from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.tasks.intake import HELPERS_PER_FRAME, MAX_INVITATION_PAUSE_S, Intake
from edge.tasks.lead_time import FIRST_LEAD_S, LEAD_MARGIN, MAX_LEAD_S


def wanted(intake=None, *, waiting=0, invited=0, idle_lanes=0, busy_s=1.0, helpers=0):
    return (intake or Intake()).wanted(
        waiting=waiting, invited=invited, idle_lanes=idle_lanes, busy_s=busy_s, helpers=helpers
    )


def test_a_busy_device_invites_nothing_until_its_work_is_about_to_end():
    assert wanted(busy_s=1.0) == wanted(busy_s=math.inf) == 0
    assert wanted(busy_s=LEAD_MARGIN * FIRST_LEAD_S) == 1
    assert wanted(busy_s=0.0) == 1


def test_each_idle_lane_gets_a_frame():
    assert [wanted(idle_lanes=lanes) for lanes in (1, 2, 4)] == [1, 2, 4]


@pytest.mark.parametrize("here", [{"waiting": 1}, {"invited": 1}, {"waiting": 1, "invited": 1}])
def test_a_frame_that_waits_or_is_on_its_way_is_enough(here):
    assert wanted(busy_s=0.0, **here) == 0
    assert wanted(idle_lanes=1, **here) == 0


@pytest.mark.parametrize(("helpers", "frames"), [(0, 0), (1, 1), (HELPERS_PER_FRAME, 1), (HELPERS_PER_FRAME + 1, 2)])
def test_frames_wait_only_while_others_are_idle(helpers, frames):
    assert wanted(busy_s=9.0, helpers=helpers) == frames


def test_the_next_frame_is_due_when_the_work_is_about_to_end_and_looked_for_meanwhile():
    intake = Intake()
    assert [intake.next_due_s(busy_s) for busy_s in (0.0, intake.lead_s, math.inf)] == [
        0.0,
        0.0,
        MAX_INVITATION_PAUSE_S,
    ]
    assert intake.next_due_s(intake.lead_s + 0.1) == pytest.approx(0.1)


def test_the_lead_is_that_of_the_usual_frame():
    intake = Intake()
    assert intake.lead_s == LEAD_MARGIN * FIRST_LEAD_S
    for seconds in (0.01, 0.02, 0.9, 0.02, 0.01):
        intake.on_frame(seconds)
    assert intake.lead_s == pytest.approx(LEAD_MARGIN * 0.02)


def test_a_frame_that_waited_for_the_next_picture_of_its_camera_is_no_measure():
    intake = Intake()
    intake.on_frame(MAX_LEAD_S * 1.01)
    assert intake.lead_s == LEAD_MARGIN * FIRST_LEAD_S
    intake.on_frame(MAX_LEAD_S)
    assert intake.lead_s == LEAD_MARGIN * MAX_LEAD_S


counts = st.integers(0, 100)


@given(counts, counts, counts, st.floats(0, math.inf), counts)
def test_never_more_frames_are_here_or_coming_than_somebody_has_time_for(waiting, invited, idle_lanes, busy_s, helpers):
    more = wanted(waiting=waiting, invited=invited, idle_lanes=idle_lanes, busy_s=busy_s, helpers=helpers)
    assert more >= 0
    if more:
        assert waiting + invited + more <= max(1, idle_lanes, helpers)
