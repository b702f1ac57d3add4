from __future__ import annotations

import math

import pytest

from gateway.cluster.fair_shares import CAMERA_MEMORY_S, MEMORY_S, FairShares


def test_owners_begin_with_nothing():
    assert FairShares().frames_of("a", 1.0) == 0.0


def test_frames_and_grants_are_added_in_the_mean_of_the_cameras():
    shares = FairShares()
    shares.add_frame("a", "front", 1.0, 5.0)
    shares.add_grant("a", 0.5, 5.0)
    assert shares.frames_of("a", 5.0) == 1.5
    shares.add_frame("a", "yard", 0.25, 5.0)
    assert shares.frames_of("a", 5.0) == pytest.approx(1.75 / 2)
    assert shares.frames_of("b", 5.0) == 0.0


def test_frames_count_less_with_time_and_a_clock_that_goes_back_adds_none():
    shares = FairShares()
    shares.add_frame("a", "front", 8.0, 5.0)
    assert shares.frames_of("a", 5.0 + MEMORY_S) == pytest.approx(8.0 / math.e)
    assert shares.frames_of("a", 4.0) == 8.0


def test_cameras_without_frames_do_not_count_any_more():
    shares = FairShares()
    shares.add_frame("a", "front", 1.0, 0.0)
    shares.add_frame("a", "yard", 1.0, CAMERA_MEMORY_S + 1)
    assert shares.frames_of("a", CAMERA_MEMORY_S + 1) == pytest.approx(1.0, abs=0.1)


def test_a_grant_that_is_returned_counts_no_more_and_never_less_than_nothing():
    shares = FairShares()
    shares.add_grant("a", 1.0, 0.0)
    shares.add_grant("a", 0.5, 0.0)
    shares.return_grant("a", 1.0, 0.0)
    assert shares.frames_of("a", 0.0) == 0.5
    shares.return_grant("a", 1.0, 0.0)
    assert shares.frames_of("a", 0.0) == 0.0


def test_an_owner_that_is_gone_is_forgotten():
    shares = FairShares()
    shares.add_grant("a", 1.0, 0.0)
    shares.forget_owner("a")
    shares.forget_owner("b")
    assert shares.frames_of("a", 0.0) == 0.0
