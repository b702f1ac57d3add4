"""The decision whether a process may use its name. Pure: messages in, a verdict out.

A new process subscribes to the state of the name and to the claims on it, then publishes its claim. The broker delivers
retained messages before this claim comes back. If none of them is of another process, the name is free. Otherwise the
other process, if it still runs, has CLAIM_ANSWER_TIMEOUT_S to answer. Of two new processes, the one whose claim reached
the broker first receives the other's claim after its own, and answers it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING

from shared.payloads.cluster import NameClaim, State

if TYPE_CHECKING:
    from shared.payloads.cluster import BridgeState, Identity, NodeState

CLAIM_ANSWER_TIMEOUT_S = 3.0
"""Time for the answer of the process that has the name: it takes milliseconds, on a busy small device a second."""

CLAIM_ECHO_TIMEOUT_S = 5.0
"""If the broker has not delivered our own claim by then, it does not allow claims: the name is used without a check."""


class Verdict(Enum):
    OPEN = auto()
    OURS = auto()
    TAKEN = auto()


@dataclass(slots=True)
class ClaimAttempt:
    """One attempt to claim a name, begun at `began_at`. Times are monotonic seconds, given by the caller."""

    own_claim: NameClaim
    began_at: float
    rival: Identity | None = None
    """The process that has the name, once it has answered."""
    hinted: bool = False
    """True when there is a retained message of another process with the name; that process may have ended."""
    _echo_at: float | None = field(default=None)

    def on_state(self, state: NodeState | BridgeState) -> None:
        """Process a state that is published under the name."""
        other = state.identity.instance != self.own_claim.identity.instance
        self.hinted |= other and state.state is State.ONLINE

    def on_claim(self, claim: NameClaim, now: float) -> NameClaim | None:
        """Process a claim on the name. Return our answer to a claim that came after ours, else None."""
        own = self.own_claim.identity.instance
        if claim.identity.instance == own:
            if claim == self.own_claim and self._echo_at is None:
                self._echo_at = now
            return None
        if claim.answers == own:
            self.rival = claim.identity
        elif self._echo_at is None:
            self.hinted = True
        else:
            return answer_claim(claim, self.own_claim.identity)
        return None

    def verdict(self, now: float) -> Verdict:
        """Return the verdict at `now`."""
        if self.rival is not None:
            return Verdict.TAKEN
        return Verdict.OURS if self.remaining_s(now) <= 0 else Verdict.OPEN

    def remaining_s(self, now: float) -> float:
        """Return the seconds until the name is ours if no other process answers."""
        if self._echo_at is None:
            return self.began_at + CLAIM_ECHO_TIMEOUT_S - now
        return self._echo_at + CLAIM_ANSWER_TIMEOUT_S - now if self.hinted else 0.0


def answer_claim(claim: NameClaim, own: Identity) -> NameClaim | None:
    """Return the answer of the name's owner to a claim; None for answers and for claims of its own."""
    if claim.answers or claim.identity.instance == own.instance:
        return None
    return NameClaim(identity=own, answers=claim.identity.instance)
