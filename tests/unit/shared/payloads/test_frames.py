from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from shared.payloads.frames import FrameCounts, FrameInfo, Outcome

FRAME = {"frame": "door-1-7", "camera": "door", "number": 7, "captured_at": 1.5, "height": 576, "width": 768}


@given(st.lists(st.sampled_from(Outcome)), st.integers(0, 20))
def test_captured_is_published_and_dropped_and_under_way(outcomes, others):
    counts = FrameCounts(captured=len(outcomes) + others)
    for outcome in outcomes:
        counts.count(outcome)
    assert counts.under_way == others
    assert counts.published == outcomes.count(Outcome.PUBLISHED)
    assert counts.dropped == {outcome: outcomes.count(outcome) for outcome in set(outcomes) - {Outcome.PUBLISHED}}


def test_a_new_account_is_empty():
    counts = FrameCounts()
    assert (counts.captured, counts.published, counts.dropped, counts.under_way) == (0, 0, {}, 0)


def test_accounts_do_not_share_what_they_count():
    one, other = FrameCounts(), FrameCounts()
    one.count(Outcome.DEADLINE)
    assert other.dropped == {}


def test_an_account_survives_json():
    counts = FrameCounts(captured=5)
    counts.count(Outcome.PUBLISHED)
    counts.count(Outcome.OWNER_LOST)
    assert FrameCounts.model_validate_json(counts.model_dump_json()) == counts


def test_a_frame_survives_json():
    info = FrameInfo(**FRAME)
    assert FrameInfo.model_validate_json(info.model_dump_json()) == info


@pytest.mark.parametrize(
    "change",
    [
        {"camera": "Front Door"},
        {"camera": ""},
        {"camera": "-door"},
        {"camera": "a" * 64},
        {"camera": "a/b"},
        {"camera": "+"},
        {"frame": "a" * 129},
        {"frame": "a/b"},
        {"number": -1},
        {"height": 0},
        {"width": 16385},
        {"captured_at": "yesterday"},
        {"captured_at": float("nan")},
    ],
)
def test_a_frame_that_cannot_be_is_refused(change):
    with pytest.raises(ValidationError, match=next(iter(change))):
        FrameInfo(**{**FRAME, **change})


@pytest.mark.parametrize("name", ["a", "0", "front-door_2", "a" * 63])
def test_names_are_lower_case_letters_digits_and_dashes(name):
    assert FrameInfo(**{**FRAME, "camera": name}).camera == name
