"""Messages that wait for a broker: the newest of each retained topic, the others in order, bounded. Pure."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

MAX_UNRETAINED_MESSAGES = 1000
"""Waiting messages that are not retained; if there are more, the oldest are dropped."""

MAX_RETAINED_MESSAGES = 50_000
"""Waiting retained topics: enough for 256 cameras with a hundred labels and a few zones each."""


class OutboxMessage(NamedTuple):
    """A message for a complete topic name."""

    topic: str
    payload: bytes
    retain: bool


class Outbox:
    """Queues messages. A newer message of a retained topic takes the older one's place, so that no topic starves."""

    def __init__(self) -> None:
        self._newest: dict[str, bytes] = {}
        self._others: deque[OutboxMessage] = deque()

    def put(self, message: OutboxMessage) -> None:
        """Queue a message; it replaces a waiting one of the same retained topic."""
        if message.retain:
            self._newest[message.topic] = message.payload
            if len(self._newest) > MAX_RETAINED_MESSAGES:
                self._newest.pop(next(iter(self._newest)))
            return
        self._others.append(message)
        if len(self._others) > MAX_UNRETAINED_MESSAGES:
            self._others.popleft()

    def take(self) -> OutboxMessage | None:
        """Remove and return the next message; None if there is none."""
        if self._others:
            return self._others.popleft()
        if self._newest:
            topic = next(iter(self._newest))
            return OutboxMessage(topic, self._newest.pop(topic), retain=True)
        return None

    def put_back(self, message: OutboxMessage) -> None:
        """Queue a message again, first, because the broker did not accept it; drop it if a newer one waits."""
        if not message.retain:
            self._others.appendleft(message)
        elif message.topic not in self._newest:
            self._newest = {message.topic: message.payload, **self._newest}
