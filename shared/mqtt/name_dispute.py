"""Whether a process may have the name that it was given. Pure: messages in, a verdict out.

A newcomer subscribes to the state of that name and to the claims on it, then asks. What is retained comes before its
own question comes back: when nothing of it speaks of another process, the name is free, and nobody waited. Otherwise
another one, if it is alive, has CLAIM_ANSWER_TIMEOUT_S to say so. Of two newcomers, the one whose question the broker
had first hears
the other's behind its own, and answers it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING

from shared.payloads.cluster import NameClaim, State

if TYPE_CHECKING:
    from shared.payloads.cluster import BridgeState, Identity, NodeState

CLAIM_ANSWER_TIMEOUT_S = 3.0
"""A process that is alive answers in milliseconds, on a busy small device within a second."""

CLAIM_ECHO_TIMEOUT_S = 5.0
"""A broker that does not bring our own question back by then does not let us ask: the name is taken unseen."""


class Verdict(Enum):
    OPEN = auto()
    OURS = auto()
    TAKEN = auto()


@dataclass(slots=True)
class ClaimAttempt:
    """One attempt to have a name, begun at `began_at`. Time is monotonic seconds, given by the caller."""

    question: NameClaim
    began_at: float
    rival: Identity | None = None
    """Who has the name, once that is known."""
    hinted: bool = False
    """Whether another process had the name of late."""
    _echo_at: float | None = field(default=None)

    def on_state(self, state: NodeState | BridgeState) -> None:
        """Take in what is retained of whoever has the name."""
        other = state.identity.instance != self.question.identity.instance
        self.hinted |= other and state.state is State.ONLINE

    def on_claim(self, claim: NameClaim, now: float) -> NameClaim | None:
        """Take in a claim on the name; return the answer to one that came after ours."""
        own = self.question.identity.instance
        if claim.identity.instance == own:
            if claim == self.question and self._echo_at is None:
                self._echo_at = now
            return None
        if claim.answers == own:
            self.rival = claim.identity
        elif self._echo_at is None:
            self.hinted = True
        else:
            return answer_claim(claim, self.question.identity)
        return None

    def verdict(self, now: float) -> Verdict:
        """Return what is known by now."""
        if self.rival is not None:
            return Verdict.TAKEN
        return Verdict.OURS if self.remaining_s(now) <= 0 else Verdict.OPEN

    def remaining_s(self, now: float) -> float:
        """Return the seconds until the name is ours if nobody answers."""
        if self._echo_at is None:
            return self.began_at + CLAIM_ECHO_TIMEOUT_S - now
        return self._echo_at + CLAIM_ANSWER_TIMEOUT_S - now if self.hinted else 0.0


def answer_claim(claim: NameClaim, own: Identity) -> NameClaim | None:
    """Return what the process that has a name says to a claim on it; None to answers, and to claims of its own."""
    if claim.answers or claim.identity.instance == own.instance:
        return None
    return NameClaim(identity=own, answers=claim.identity.instance)
