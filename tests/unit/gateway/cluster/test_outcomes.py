from __future__ import annotations

from gateway.cluster.outcomes import REMEMBERED_OUTCOMES, Outcomes
from shared.payloads.frames import Outcome


def test_a_frame_has_one_outcome_which_is_the_first():
    outcomes = Outcomes()
    assert outcomes.of("a") is None
    assert outcomes.decide("a", Outcome.PUBLISHED)
    assert not outcomes.decide("a", Outcome.NO_ANSWER)
    assert outcomes.of("a") is Outcome.PUBLISHED


def test_the_oldest_are_forgotten():
    outcomes = Outcomes()
    for number in range(REMEMBERED_OUTCOMES + 1):
        outcomes.decide(str(number), Outcome.FAILED)
    assert outcomes.of("0") is None
    assert outcomes.of("1") is outcomes.of(str(REMEMBERED_OUTCOMES)) is Outcome.FAILED
