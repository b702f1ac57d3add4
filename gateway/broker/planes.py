"""Where the gateway publishes and hears: the cluster's broker, and the house's, where that is another one.

Each topic says in shared/mqtt/topics.py at which of them it is. With one broker for both, everything goes there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shared.mqtt import topics
from shared.mqtt.topics import Plane

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable

    from gateway.broker.house_broker import HouseBroker
    from shared.mqtt.bus import Bus
    from shared.mqtt.received import Received
    from shared.mqtt.topics import AnyTopic, M, PlainTopic, Topic
    from shared.payloads.base import Message

_MAX_CAMERAS_WITH_STATS = 1000
"""Cameras whose stats are kept for the house's broker; a gateway follows a quarter as many."""


class Planes:
    """A bus for all topics. What is published at the house's broker never waits, unless it is delivered."""

    def __init__(self, cluster: Bus, house: HouseBroker | None = None) -> None:
        self._cluster = cluster
        self._house = house
        self._public = cluster if house is None else house.bus
        self._stats: dict[tuple[str, ...], bytes] = {}
        if house is not None:
            cluster.on_plain(topics.CAMERA_STATS, self._pass_on)

    @property
    def prefix(self) -> str:
        """Return what all topics begin with."""
        return self._cluster.prefix

    @property
    def cluster_connected(self) -> asyncio.Event:
        """Return the event that is set while there is a connection with the cluster's broker."""
        return self._cluster.connected

    @property
    def public_connected(self) -> asyncio.Event:
        """Return the event that is set while there is a connection with the broker of the public topics."""
        return self._public.connected

    @property
    def sent_bytes(self) -> int:
        """Return how much was published for the cluster."""
        return self._cluster.sent_bytes

    @property
    def received_bytes(self) -> int:
        """Return how much was heard of the cluster."""
        return self._cluster.received_bytes

    @property
    def frames_dropped(self) -> int:
        """Return how many frames' detections the house's broker did not take in time."""
        return 0 if self._house is None else self._house.frames_dropped

    def on(self, topic: Topic[M], handler: Callable[[str, M], Awaitable[None] | None], name: str = "+") -> None:
        """Call `handler(name, message)` for each message; what both brokers have is heard at the cluster's."""
        self._bus_of(topic).on(topic, handler, name)

    def on_plain(
        self, topic: PlainTopic, handler: Callable[[Received], Awaitable[None] | None], *, queued: bool = False
    ) -> None:
        """Call `handler(received)` for each payload, as a Bus does."""
        self._bus_of(topic).on_plain(topic, handler, queued=queued)

    def on_retained(self, note: Callable[..., None]) -> None:
        """Call `note(topic, retained=...)` for each public topic at which something is, or no more, retained by us."""
        self._public.on_retained(note)

    async def publish(self, topic: Topic[M], message: M, *names: str) -> None:
        """Publish. Raises BrokerError when the cluster's broker does not take what is for it."""
        await self._publish(topic, message.model_dump_json().encode(), names)

    async def publish_plain(self, topic: PlainTopic, payload: bytes, *names: str) -> None:
        """Publish a payload as it is. Raises BrokerError, as `publish` does."""
        await self._publish(topic, payload, names)

    async def publish_at(self, topic: str, payload: str | bytes, *, retain: bool) -> None:
        """Publish at a public topic that is written out. Raises BrokerError, as `publish` does."""
        if self._house is None:
            await self._cluster.publish_at(topic, payload, retain=retain)
        else:
            self._house.queue_message(topic, payload.encode() if isinstance(payload, str) else payload, retain=retain)

    async def clear_retained(self, topic: Topic[Any], *names: str) -> None:
        """Clear the retained message. Raises BrokerError, as `publish` does."""
        await self._publish(topic, b"", names)

    def publish_soon(self, topic: Topic[M], message: M, *names: str) -> None:
        """Publish for the cluster in the background, for whom a lost message is no loss."""
        self._cluster.publish_soon(topic, message, *names)

    async def deliver(self, topic: Topic[M], message: M, *names: str) -> None:
        """Publish at a public topic and wait until the broker has it. Raises BrokerError."""
        await self._public.publish(topic, message, *names)

    async def deliver_at(self, topic: str, payload: str | bytes, *, retain: bool) -> None:
        """Publish at a public topic that is written out, and wait until the broker has it. Raises BrokerError."""
        await self._public.publish_at(topic, payload, retain=retain)

    async def publish_response(self, request: Received, message: Message) -> None:
        """Publish where the sender of a request wants the answer. Raises BrokerError."""
        await self._public.publish_response(request, message)

    def republish_stats(self) -> None:
        """Have the house's broker told of all cameras' stats again: it may have lost them."""
        for names, payload in self._stats.items():
            self._put(topics.CAMERA_STATS, payload, names)

    def _bus_of(self, topic: AnyTopic) -> Bus:
        return self._public if topic.plane is Plane.PUBLIC else self._cluster

    async def _publish(self, topic: AnyTopic, payload: bytes, names: tuple[str, ...]) -> None:
        if topic.plane is not Plane.CLUSTER and topic is not topics.CAMERA_STATS:  # these are passed on when heard
            self._put(topic, payload, names)
        if topic.plane is not Plane.PUBLIC or self._house is None:
            await self._cluster.publish_plain(topic, payload, *names)

    def _put(self, topic: AnyTopic, payload: bytes, names: tuple[str, ...]) -> None:
        if self._house is None:
            return
        where = topic.full_path(*names, prefix=self.prefix)
        if topic.qos:
            self._house.queue_message(where, payload, retain=topic.retain)
        else:
            self._house.publish_frame(where, payload)

    def _pass_on(self, received: Received) -> None:
        """Keep what an edge says of a camera, and have it published at the house's broker."""
        if not received.payload:
            self._stats.pop(received.names, None)
        elif received.names in self._stats or len(self._stats) < _MAX_CAMERAS_WITH_STATS:
            self._stats[received.names] = received.payload
        self._put(topics.CAMERA_STATS, received.payload, received.names)
