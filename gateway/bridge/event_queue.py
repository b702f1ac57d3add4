"""Events on their way to the broker: in order, and none is lost while it is away for a while."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from shared.errors import BrokerError

if TYPE_CHECKING:
    from gateway.broker.planes import Planes
    from shared.mqtt.topics import Topic
    from shared.payloads.base import Message

log = logging.getLogger(__name__)

MAX_QUEUED_EVENTS = 1000
"""Hours of a home's events; when the broker is away for longer the oldest go."""

RETRY_EVENT_S = 0.5
"""How long to wait before an event is tried again that the broker did not take."""


QueuedEvent = tuple["Topic[Any]", "Message", tuple[str, ...]]


class EventQueue:
    """Publishes messages one after the other, whenever there is a broker."""

    def __init__(self, bus: Planes) -> None:
        self._bus = bus
        self._waiting: asyncio.Queue[QueuedEvent] = asyncio.Queue(MAX_QUEUED_EVENTS)
        self._next: QueuedEvent | None = None

    @property
    def idle(self) -> bool:
        """Return whether the broker has taken all."""
        return self._next is None and self._waiting.empty()

    def put(self, topic: Topic[Any], message: Message, *names: str) -> None:
        """Have it published when its turn comes."""
        if self._waiting.full():
            self._waiting.get_nowait()
            log.warning("the broker is away, an event that waited for it is lost")
        self._waiting.put_nowait((topic, message, names))

    async def run(self) -> None:
        """Publish until cancelled."""
        while True:
            self._next = self._next or await self._waiting.get()
            await self._bus.public_connected.wait()
            if not await self._publish_next():
                await asyncio.sleep(RETRY_EVENT_S)

    async def flush(self) -> None:
        """Publish what waits, as the gateway stops, while the broker takes it."""
        while self._next or not self._waiting.empty():
            self._next = self._next or self._waiting.get_nowait()
            if not await self._publish_next():
                return

    async def _publish_next(self) -> bool:
        """Return whether the broker took it; what is cancelled meanwhile may have been taken, and is not sent again."""
        assert self._next is not None
        (topic, message, names), self._next = self._next, None
        try:
            await self._bus.deliver(topic, message, *names)
        except BrokerError as error:
            log.debug("%s", error)
            self._next = topic, message, names
            return False
        return True
