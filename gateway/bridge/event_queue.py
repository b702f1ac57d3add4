"""Publishes events in order, and keeps them while the broker is not connected."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from shared.errors import BrokerError

if TYPE_CHECKING:
    from gateway.broker.planes import Planes
    from shared.mqtt.topic_kinds import Topic
    from shared.payloads.base import Message

log = logging.getLogger(__name__)

MAX_QUEUED_EVENTS = 1000
"""Events that wait: as many as a home has in some hours. If there are more, the oldest are dropped."""

RETRY_EVENT_S = 0.5
"""Time before an event that the broker did not accept is retried."""

QueuedEvent = tuple["Topic[Any]", "Message", tuple[str, ...]]
"""A topic, a message for it, and the names in the topic."""


class EventQueue:
    """Publishes messages one after the other, while the broker is connected."""

    def __init__(self, bus: Planes) -> None:
        self._bus = bus
        self._waiting: asyncio.Queue[QueuedEvent] = asyncio.Queue(MAX_QUEUED_EVENTS)
        self._next: QueuedEvent | None = None

    @property
    def idle(self) -> bool:
        """Return whether the broker has accepted all events."""
        return self._next is None and self._waiting.empty()

    def put(self, topic: Topic[Any], message: Message, *names: str) -> None:
        """Queue a message for a topic with these names."""
        if self._waiting.full():
            self._waiting.get_nowait()
            log.warning("%d events wait for the broker: the oldest is dropped; check the broker", MAX_QUEUED_EVENTS)
        self._waiting.put_nowait((topic, message, names))

    async def run(self) -> None:
        """Publish until cancelled."""
        while True:
            self._next = self._next or await self._waiting.get()
            await self._bus.public_connected.wait()
            if not await self._publish_next():
                await asyncio.sleep(RETRY_EVENT_S)

    async def flush(self) -> None:
        """Publish all waiting events before the gateway stops; end at the first that the broker does not accept."""
        while self._next or not self._waiting.empty():
            self._next = self._next or self._waiting.get_nowait()
            if not await self._publish_next():
                return

    async def _publish_next(self) -> bool:
        """Publish the next event; return whether the broker accepted it.

        If this is cancelled, the event is not kept: the broker may have it already, and must not get it twice.
        """
        assert self._next is not None
        (topic, message, names), self._next = self._next, None
        try:
            await self._bus.deliver(topic, message, *names)
        except BrokerError as error:
            log.debug("%s", error)
            self._next = topic, message, names
            return False
        return True
