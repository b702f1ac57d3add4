"""Frames that an owner has given up, pure: until the gateway has answered with the outcomes that count.

Only the gateway decides outcomes: it may publish a frame at the moment when the owner gives it up. The owner therefore
requests the outcome of a given-up frame, with the one that it proposes, and repeats that until the gateway answers.
Only if no answer arrives in time does the owner use its own proposal. Time is monotonic seconds, given by the caller.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.payloads.frames import Outcome

OUTCOME_TIMEOUT_S = 15.0
"""A frame that is given up may have been published: the outcome is requested from the gateway for this long. An edge
that was frozen has reconnected to the broker by then."""

OUTCOME_RETRY_S = 1.0
"""The request is repeated after this time: the gateway answers in milliseconds, but messages may be lost."""

MAX_REQUESTED_OUTCOMES = 1000
"""Frames in one request; the others follow in the next."""


@dataclass(slots=True)
class GivenUpFrame:
    """A frame that is given up: it gets `outcome` unless the gateway answers with another."""

    outcome: Outcome
    finished: Callable[[Outcome], None]
    answer_by: float
    request_at: float


class OutcomeRequests:
    """The given-up frames by name; the first proposal for a frame counts."""

    def __init__(self) -> None:
        self._frames: dict[str, GivenUpFrame] = {}

    def __contains__(self, frame: str) -> bool:
        return frame in self._frames

    def __len__(self) -> int:
        return len(self._frames)

    def give_up(self, frame: str, finished: Callable[[Outcome], None], outcome: Outcome, now: float) -> bool:
        """Add a frame; return False if it is given up already."""
        if frame in self._frames:
            return False
        self._frames[frame] = GivenUpFrame(outcome, finished, now + OUTCOME_TIMEOUT_S, now)
        return True

    def due(self, now: float, *, all_again: bool = False) -> dict[str, Outcome]:
        """Return the frames to request now, with the proposed outcomes; they are due again after OUTCOME_RETRY_S."""
        due = [name for name, waiting in self._frames.items() if all_again or waiting.request_at <= now]
        due = due[:MAX_REQUESTED_OUTCOMES]
        for frame in due:
            self._frames[frame].request_at = now + OUTCOME_RETRY_S
        return {frame: self._frames[frame].outcome for frame in due}

    def unanswered(self, now: float) -> dict[str, Outcome]:
        """Return the frames that have waited too long for an answer, with the outcomes that they get."""
        return {name: waiting.outcome for name, waiting in self._frames.items() if waiting.answer_by <= now}

    def all_proposals(self) -> dict[str, Outcome]:
        """Return all frames with the proposed outcomes."""
        return {name: waiting.outcome for name, waiting in self._frames.items()}

    def take_frame(self, frame: str) -> GivenUpFrame | None:
        """Remove a frame, whose outcome is known; return None if it was not given up."""
        return self._frames.pop(frame, None)
