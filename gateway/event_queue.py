"""Events on their way to the broker: in order, and none is lost while it is away for a while."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from shared.errors import BrokerError

if TYPE_CHECKING:
    from shared.bus import Bus
    from shared.message import Message
    from shared.topics import Topic

log = logging.getLogger(__name__)

EVENTS_CAP = 1000
"""Hours of a home's events; when the broker is away for longer the oldest go."""

AGAIN_S = 0.5
"""How long to wait before an event is tried again that the broker did not take."""


class EventQueue:
    """Publishes messages one after the other, whenever there is a broker."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._waiting: asyncio.Queue[tuple[Topic[Any], Message, tuple[str, ...]]] = asyncio.Queue(EVENTS_CAP)

    def put(self, topic: Topic[Any], message: Message, *names: str) -> None:
        """Have it published when its turn comes."""
        if self._waiting.full():
            self._waiting.get_nowait()
            log.warning("the broker is away, an event that waited for it is lost")
        self._waiting.put_nowait((topic, message, names))

    async def run(self) -> None:
        """Publish until cancelled."""
        while True:
            topic, message, names = await self._waiting.get()
            while True:
                await self._bus.connected.wait()
                try:
                    await self._bus.publish(topic, message, *names)
                    break
                except BrokerError as error:
                    log.debug("%s", error)
                    await asyncio.sleep(AGAIN_S)
