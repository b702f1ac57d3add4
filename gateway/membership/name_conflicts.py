"""Detects names that two running processes use, pure: claims of names and answers in, problems out."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.payloads.cluster import Identity, NameClaim

CONTEST_SHOWN_S = 300.0
"""A conflict is reported for this long after the last claim; a service may be started again only after minutes."""

MAX_CLAIM_QUESTIONS = 256
"""Claims that are kept until they are answered; only an attacker causes more."""

MAX_CONTESTS = 100
"""Conflicts that are reported; only an attacker causes more."""


@dataclass(frozen=True, slots=True)
class _Contest:
    owner: Identity
    newcomer: Identity
    at: float


class ContestedNames:
    """Pairs claims of a name with the answers of its owner. Time is monotonic seconds."""

    def __init__(self) -> None:
        self._questions: OrderedDict[tuple[str, str], Identity] = OrderedDict()
        self._contests: OrderedDict[str, _Contest] = OrderedDict()

    def on_claim(self, name: str, claim: NameClaim, now: float) -> None:
        """Handle a claim of an edge's name, or an answer to one. An empty `name` stands for that of the gateway."""
        if not claim.answers:
            self._questions[name, claim.identity.instance] = claim.identity
            self._questions.move_to_end((name, claim.identity.instance))
            if len(self._questions) > MAX_CLAIM_QUESTIONS:
                self._questions.popitem(last=False)
            return
        newcomer = self._questions.pop((name, claim.answers), None)
        if newcomer is not None and claim.identity.instance != claim.answers:
            self._contests[name] = _Contest(claim.identity, newcomer, now)
            self._contests.move_to_end(name)
            if len(self._contests) > MAX_CONTESTS:
                self._contests.popitem(last=False)

    def problems(self, now: float) -> list[str]:
        """Return the recent conflicts and what to do, a line for each."""
        return [
            _problem(name, contest) for name, contest in self._contests.items() if now - contest.at < CONTEST_SHOWN_S
        ]


def _problem(name: str, contest: _Contest) -> str:
    if not name:
        return (
            f"another gateway, on {contest.newcomer}, was started with the topic prefix of this one: stop it, or give "
            "it a prefix of its own (mqtt.topic_prefix)"
        )
    return (
        f"two edges are called {name}: the one on {contest.owner} is used, the one on {contest.newcomer} is not: "
        f"give one of them a name of its own, for example --name {name[:60]}-2"
    )
