"""What is wrong with a broker that is waited for, for as long as it is."""

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
"""The same trouble is logged so often."""

MAX_DENIED_TOPICS = 10
"""Topics that are named; who is not allowed ten has to look at the broker's access rules as a whole."""


class BrokerHealth:
    """Remembers why a broker is not connected, and what it does not allow; logs it at once, and then now and again."""

    def __init__(self, broker: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        """`broker` is what it is called in messages."""
        self._broker = broker
        self._clock = clock
        self._errors = RateLimit(PROBLEM_REPEAT_PERIOD_S)
        self._reason = ""
        self._denied: dict[str, str] = {}

    def note_failure(self, reason: str) -> None:
        """Note that there is no connection, and why."""
        self._reason = reason
        if self._errors.allows(reason, self._clock()):
            log.error("%s: %s; trying again until it works", self._broker, reason)

    def note_connected(self) -> None:
        """Note that there is a connection; what it does not allow has to show again."""
        self._reason = ""
        self._denied.clear()

    def note_denied(self, topic: str, reason: str) -> None:
        """Note that the broker did not take a message or a subscription."""
        if len(self._denied) < MAX_DENIED_TOPICS:
            self._denied[topic] = reason
        if self._errors.allows(reason, self._clock()):
            log.error("%s does not take %s: %s", self._broker, printable(topic), reason)

    def note_accepted(self, topic: str) -> None:
        """Note that the broker took a message."""
        self._denied.pop(topic, None)

    @property
    def problems(self) -> list[str]:
        """Return what is wrong now, in sentences."""
        if self._reason:
            return [f"{self._broker}: {self._reason}"]
        topics: dict[str, list[str]] = {}
        for topic, why in self._denied.items():
            topics.setdefault(why, []).append(printable(topic))
        return [f"{self._broker} does not take {_some(denied)}: {why}" for why, denied in topics.items()]


def _some(topics: Sequence[str]) -> str:
    """Return the first, and how many more there are: one rule that is missing is one problem."""
    first, others = topics[0], len(topics) - 1
    more = f"{others} more" if others < MAX_DENIED_TOPICS - 1 else "many more"
    return f"{first} and {more}" if others else first
