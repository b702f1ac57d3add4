"""The problems of one broker connection: why it is not connected, and which topics the broker refuses."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from shared.logs.printable import printable
from shared.logs.rate_limit import RateLimit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

log = logging.getLogger(__name__)

PROBLEM_REPEAT_PERIOD_S = 300.0
"""The same problem is logged again after this time."""

MAX_DENIED_TOPICS = 10
"""Refused topics that are remembered; more of them have one cause, wrong access rules of the broker."""


class BrokerHealth:
    """Records why a broker is not connected, and which topics it refuses.

    A new problem is logged at once, then every PROBLEM_REPEAT_PERIOD_S while it lasts.
    """

    def __init__(self, broker: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        """`broker` is its name in messages."""
        self._broker = broker
        self._clock = clock
        self._errors = RateLimit(PROBLEM_REPEAT_PERIOD_S)
        self._reason = ""
        self._denied: dict[str, str] = {}

    def note_failure(self, reason: str) -> None:
        """Record that there is no connection, and the reason."""
        self._reason = reason
        if self._errors.allows(reason, self._clock()):
            log.error("%s: %s; trying again until it works", self._broker, reason)

    def note_connected(self) -> None:
        """Record a new connection, and forget the refused topics of the last one."""
        self._reason = ""
        self._denied.clear()

    def note_denied(self, topic: str, reason: str) -> None:
        """Record that the broker refused a message or a subscription."""
        if len(self._denied) < MAX_DENIED_TOPICS:
            self._denied[topic] = reason
        if self._errors.allows(reason, self._clock()):
            log.error("%s refuses %s: %s", self._broker, printable(topic), reason)

    def note_accepted(self, topic: str) -> None:
        """Record that the broker accepted a message to this topic."""
        self._denied.pop(topic, None)

    @property
    def problems(self) -> list[str]:
        """Return the current problems, one sentence each."""
        if self._reason:
            return [f"{self._broker}: {self._reason}"]
        topics: dict[str, list[str]] = {}
        for topic, reason in self._denied.items():
            topics.setdefault(reason, []).append(printable(topic))
        return [f"{self._broker} refuses {_summary(denied)}: {reason}" for reason, denied in topics.items()]


def _summary(topics: Sequence[str]) -> str:
    """Return the first topic and the number of others: one missing access rule is one problem."""
    first, others = topics[0], len(topics) - 1
    more = f"{others} more" if others < MAX_DENIED_TOPICS - 1 else "many more"
    return f"{first} and {more}" if others else first
