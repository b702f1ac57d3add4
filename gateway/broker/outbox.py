"""What waits for a broker: the newest message of each retained topic, and others in order, bounded. Pure."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

MAX_UNRETAINED_MESSAGES = 1000
"""Messages that are not retained; when more wait the oldest go."""

MAX_RETAINED_TOPICS = 50_000
"""Retained topics: of 256 cameras with a hundred labels and a few zones each."""


class OutboxMessage(NamedTuple):
    """A message for a topic that is written out."""

    topic: str
    payload: bytes
    retain: bool


class Outbox:
    """Messages on their way; a retained topic has its turn since its first message, so that none waits for ever."""

    def __init__(self) -> None:
        self._newest: dict[str, bytes] = {}
        self._others: deque[OutboxMessage] = deque()
        self.lost = 0

    def __len__(self) -> int:
        return len(self._newest) + len(self._others)

    def put(self, message: OutboxMessage) -> None:
        """Have a message wait; of a retained topic it takes the place of an older one."""
        if message.retain:
            self._newest[message.topic] = message.payload
            if len(self._newest) > MAX_RETAINED_TOPICS:
                self._newest.pop(next(iter(self._newest)))
                self.lost += 1
            return
        self._others.append(message)
        if len(self._others) > MAX_UNRETAINED_MESSAGES:
            self._others.popleft()
            self.lost += 1

    def take(self) -> OutboxMessage | None:
        """Return the next message, which waits no more; None when there is none."""
        if self._others:
            return self._others.popleft()
        if self._newest:
            topic = next(iter(self._newest))
            return OutboxMessage(topic, self._newest.pop(topic), retain=True)
        return None

    def put_back(self, message: OutboxMessage) -> None:
        """Have a message wait again that was not taken, unless there is a newer one."""
        if not message.retain:
            self._others.appendleft(message)
        elif message.topic not in self._newest:
            self._newest = {message.topic: message.payload, **self._newest}
