from __future__ import annotations

from gateway.cluster.frame_outcomes import MAX_REMEMBERED_OUTCOMES, FrameOutcomes
from shared.payloads.frames import Outcome


def test_a_frame_has_one_outcome_which_is_the_first():
    outcomes = FrameOutcomes()
    assert outcomes.outcome_of("a") is None
    assert outcomes.decide_outcome("a", Outcome.PUBLISHED)
    assert not outcomes.decide_outcome("a", Outcome.NO_ANSWER)
    assert outcomes.outcome_of("a") is Outcome.PUBLISHED


def test_the_oldest_are_forgotten():
    outcomes = FrameOutcomes()
    for number in range(MAX_REMEMBERED_OUTCOMES + 1):
        outcomes.decide_outcome(str(number), Outcome.FAILED)
    assert outcomes.outcome_of("0") is None
    assert outcomes.outcome_of("1") is outcomes.outcome_of(str(MAX_REMEMBERED_OUTCOMES)) is Outcome.FAILED
