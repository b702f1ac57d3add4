from __future__ import annotations

import pytest

from edge.frames.outcome_requests import (
    MAX_REQUESTED_OUTCOMES,
    OUTCOME_RETRY_S,
    OUTCOME_TIMEOUT_S,
    OutcomeRequests,
)
from shared.payloads.frames import Outcome


@pytest.fixture
def requests():
    return OutcomeRequests()


def finished(_):
    raise AssertionError("only the owner finishes frames")


def test_the_first_proposal_for_a_frame_counts(requests):
    assert requests.give_up("f", finished, Outcome.NO_ANSWER, 0.0)
    assert not requests.give_up("f", finished, Outcome.STOPPED, 1.0)
    assert requests.all_proposals() == {"f": Outcome.NO_ANSWER}
    assert ("f" in requests, "g" in requests, len(requests)) == (True, False, 1)


def test_a_frame_is_requested_at_once_and_again_after_a_while(requests):
    requests.give_up("f", finished, Outcome.NO_ANSWER, 10.0)
    assert requests.due(10.0) == {"f": Outcome.NO_ANSWER}
    assert requests.due(10.0 + 0.99 * OUTCOME_RETRY_S) == {}
    assert requests.due(10.0 + OUTCOME_RETRY_S) == {"f": Outcome.NO_ANSWER}


def test_after_a_reconnect_all_are_requested_at_once(requests):
    requests.give_up("f", finished, Outcome.NO_ANSWER, 0.0)
    requests.due(0.0)
    assert requests.due(0.1, all_again=True) == {"f": Outcome.NO_ANSWER}
    assert requests.due(1.0) == {}


def test_a_request_has_a_limited_number_of_frames_and_the_others_follow(requests):
    for number in range(MAX_REQUESTED_OUTCOMES + 5):
        requests.give_up(f"f-{number}", finished, Outcome.STOPPED, 0.0)
    assert len(requests.due(0.0)) == MAX_REQUESTED_OUTCOMES
    assert sorted(requests.due(0.0)) == [f"f-{MAX_REQUESTED_OUTCOMES + number}" for number in range(5)]


def test_a_frame_without_an_answer_gets_the_proposed_outcome_in_the_end(requests):
    requests.give_up("f", finished, Outcome.NO_ANSWER, 10.0)
    assert requests.unanswered(9.99 + OUTCOME_TIMEOUT_S) == {}
    assert requests.unanswered(10.0 + OUTCOME_TIMEOUT_S) == {"f": Outcome.NO_ANSWER}


def test_a_frame_with_an_answer_is_taken_once(requests):
    requests.give_up("f", finished, Outcome.NO_ANSWER, 0.0)
    taken = requests.take_frame("f")
    assert (taken.outcome, taken.finished) == (Outcome.NO_ANSWER, finished)
    assert requests.take_frame("f") is None
    assert (len(requests), requests.due(1e9), requests.unanswered(1e9)) == (0, {}, {})
