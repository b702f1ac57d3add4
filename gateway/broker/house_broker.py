"""Publishes to the house's broker, in the background: a slow or missing broker never delays the gateway."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from typing import TYPE_CHECKING

from gateway.broker.outbox import Outbox, OutboxMessage
from shared.errors import BrokerError
from shared.mqtt import topics
from shared.mqtt.bus import Bus
from shared.mqtt.outgoing import Outgoing
from shared.mqtt.own_state import OwnState
from shared.mqtt.topic_kinds import foreign_topic
from shared.payloads.cluster import BridgeState, State
from shared.process.lifecycle import run_together

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from shared.mqtt.broker_health import BrokerHealth
    from shared.mqtt.broker_login import Login
    from shared.mqtt.name_claim import NameOwner
    from shared.network.addresses import Address

log = logging.getLogger(__name__)

MAX_FRAMES_IN_FLIGHT = 30
"""Frames that the broker has not accepted yet: those of three cameras in two seconds. Further frames are dropped."""

DROPPED_FRAMES_PERIOD_S, MAX_DROPPED_FRAMES = 60.0, 10_000
"""Frames that were dropped within this time, while the broker was connected, are reported as a problem; at most this
many are counted."""

_OFFLINE_TIMEOUT_S = 4.0
"""A stopping gateway waits this long for a slow broker."""

_RETRY_S = 0.5
"""Time before a message that the broker did not accept is retried."""


class HouseBroker:
    """The connection to the house's broker. It retries while the broker is missing or refuses; `problems` says why.

    The newest message of each retained topic is kept until the broker has it. Other messages wait in a bounded queue.
    A frame is published at once or dropped; `frames_dropped` is the number of dropped frames.
    """

    def __init__(
        self,
        broker: Address,
        owner: NameOwner,
        state: Callable[[State], BridgeState],
        republish: Callable[[], Awaitable[None]],
        publish_offline: Callable[[], Awaitable[None]],
        *,
        login: Login,
        health: BrokerHealth,
        prefix: str,
    ) -> None:
        """Prepare the connection; `run` makes it.

        `owner` claims the gateway's name at the broker. `state` returns the gateway's state message. `republish` is
        called after each (re)connect, and queues all other retained messages. `publish_offline` is called before the
        end, and queues the last messages.
        """
        self._state = state
        self._republish = republish
        self._publish_offline = publish_offline
        self._health = health
        self._own_state = OwnState(lambda: state(State.ONLINE), self._publish_state)
        self.bus = Bus(
            broker,
            owner.client_id,
            will=Outgoing(topics.BRIDGE_STATE, state(State.OFFLINE)),
            on_connected=self._on_connected,
            on_stopping=self._on_stopping,
            prefix=prefix,
            owner=owner,
            login=login,
            health=health,
        )
        self.bus.on(topics.BRIDGE_STATE, lambda _, message: self._own_state.on_received(message))
        self.frames_dropped = 0
        self._dropped: deque[float] = deque(maxlen=MAX_DROPPED_FRAMES)
        self._outbox = Outbox()
        self._filled = asyncio.Event()
        self._frames: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Publish until cancelled. Raises NameTakenError when another gateway uses the same topics there."""
        await run_together(self._publish_waiting(), self._own_state.run(), self.bus.run())

    def problems(self, now: float) -> list[str]:
        """Return the problems of the broker at `now`, in monotonic seconds."""
        while self._dropped and now - self._dropped[0] > DROPPED_FRAMES_PERIOD_S:
            self._dropped.popleft()
        if self._health.problems or not self._dropped:
            return self._health.problems
        return [
            f"broker {self.bus.broker} has not accepted {len(self._dropped)} frames in the last minute: check "
            "whether it, or the network to it, is too slow"
        ]

    def queue_message(self, topic: str, payload: bytes, *, retain: bool) -> None:
        """Publish a message in the background, as soon as the broker accepts it."""
        self._outbox.put(OutboxMessage(topic, payload, retain))
        self._filled.set()

    def publish_frame(self, topic: str, payload: bytes) -> None:
        """Publish a frame at once, without an acknowledgement, or drop it."""
        if not self.bus.connected.is_set() or len(self._frames) >= MAX_FRAMES_IN_FLIGHT:
            self._drop_frame()
            return
        task = asyncio.create_task(self._send_frame(topic, payload))
        self._frames.add(task)
        task.add_done_callback(self._frames.discard)

    async def _send_frame(self, topic: str, payload: bytes) -> None:
        try:
            await self.bus.publish_plain(foreign_topic(topic, retain=False, qos=0), payload)
        except BrokerError:
            self._drop_frame()

    def _drop_frame(self) -> None:
        self.frames_dropped += 1
        self._dropped.append(time.monotonic())

    async def _on_connected(self) -> None:
        """Republish all retained state. `bridge/state` comes last: an online gateway has published the rest."""
        await self._republish()
        await self._flush()
        await self._publish_state()
        self._dropped.clear()  # those frames were dropped while the broker was away, not because it is slow

    async def _publish_state(self) -> None:
        await self.bus.publish(topics.BRIDGE_STATE, self._state(State.ONLINE))

    async def _on_stopping(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_OFFLINE_TIMEOUT_S):
                await self._publish_offline()
                await self._flush()

    async def _flush(self) -> None:
        """Publish all waiting messages. Raises BrokerError."""
        while (message := self._outbox.take()) is not None:
            await self._publish(message)

    async def _publish_waiting(self) -> None:
        """Publish waiting messages while connected, until cancelled."""
        while True:
            await self._filled.wait()
            await self.bus.connected.wait()
            self._filled.clear()
            try:
                await self._flush()
            except BrokerError as error:
                log.debug("%s", error)
                self._filled.set()
                await asyncio.sleep(_RETRY_S)

    async def _publish(self, message: OutboxMessage) -> None:
        try:
            await self.bus.publish_at(message.topic, message.payload, retain=message.retain)
        except BaseException:
            self._outbox.put_back(message)
            raise
