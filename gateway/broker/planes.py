"""The gateway's two planes of MQTT: the cluster's broker and the house's broker, which may be the same one.

shared/mqtt/topics.py says to which plane each topic belongs. If there is one broker for both, it gets everything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shared.mqtt import topics
from shared.mqtt.topic_kinds import Plane

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable

    from gateway.broker.house_broker import HouseBroker
    from shared.mqtt.bus import Bus
    from shared.mqtt.received import Received
    from shared.mqtt.topic_kinds import AnyTopic, M, PlainTopic, Topic
    from shared.payloads.base import Message

    Published = Callable[[AnyTopic, bytes, tuple[str, ...]], None]
    """Receives what the gateway publishes: a topic, the payload, and the names in the topic."""

_MAX_CAMERAS_WITH_STATS = 1000
"""Cameras whose stats are kept for the house's broker; a gateway serves at most a quarter as many (256)."""


class Planes:
    """One bus for all topics. Publishing to the house's broker returns at once; only the `deliver` methods wait."""

    def __init__(self, cluster: Bus, house: HouseBroker | None = None) -> None:
        self._cluster = cluster
        self._house = house
        self._public = cluster if house is None else house.bus
        self._stats: dict[tuple[str, ...], bytes] = {}
        self._listeners: list[Published] = []
        if house is not None:
            cluster.on_plain(topics.CAMERA_STATS, self._pass_on_stats)

    @property
    def prefix(self) -> str:
        """Return the prefix of all topics."""
        return self._cluster.prefix

    @property
    def cluster_connected(self) -> asyncio.Event:
        """Return the event that is set while the cluster's broker is connected."""
        return self._cluster.connected

    @property
    def public_connected(self) -> asyncio.Event:
        """Return the event that is set while the broker of the public topics is connected."""
        return self._public.connected

    @property
    def sent_bytes(self) -> int:
        """Return the bytes published to the cluster's broker."""
        return self._cluster.sent_bytes

    @property
    def received_bytes(self) -> int:
        """Return the bytes received from the cluster's broker."""
        return self._cluster.received_bytes

    @property
    def frames_dropped(self) -> int:
        """Return the number of frames whose detections the house's broker did not accept in time."""
        return 0 if self._house is None else self._house.frames_dropped

    def on(self, topic: Topic[M], handler: Callable[[str, M], Awaitable[None] | None]) -> None:
        """Call `handler(name, message)` for each message; a topic of both planes is received from the cluster."""
        self._bus_of(topic).on(topic, handler)

    def on_plain(
        self, topic: AnyTopic, handler: Callable[[Received], Awaitable[None] | None], *, queued: bool = False
    ) -> None:
        """Call `handler(received)` for each payload, as a Bus does."""
        self._bus_of(topic).on_plain(topic, handler, queued=queued)

    def on_retained(self, note: Callable[..., None]) -> None:
        """Call `note(topic, retained=...)` for each public topic whose retained message the gateway sets or clears."""
        self._public.on_retained(note)

    def on_published(self, listener: Published) -> None:
        """Call `listener(topic, payload, names)` for each message that the gateway publishes to a topic of the table.

        It is called before the message is sent, even if the broker then does not accept it. It must not raise.
        """
        self._listeners.append(listener)

    async def publish(self, topic: Topic[M], message: M, *names: str) -> None:
        """Publish a message. Raises BrokerError if it goes to the cluster's broker, and that does not accept it."""
        await self._publish(topic, message.model_dump_json().encode(), names)

    async def publish_plain(self, topic: PlainTopic, payload: bytes, *names: str) -> None:
        """Publish a payload as it is. Raises BrokerError, as `publish` does."""
        await self._publish(topic, payload, names)

    async def publish_at(self, topic: str, payload: str | bytes, *, retain: bool) -> None:
        """Publish to a public topic given by its complete name. Raises BrokerError, as `publish` does."""
        if self._house is None:
            await self._cluster.publish_at(topic, payload, retain=retain)
        else:
            self._house.queue_message(topic, payload.encode() if isinstance(payload, str) else payload, retain=retain)

    async def clear_retained(self, topic: Topic[Any], *names: str) -> None:
        """Clear the retained message of a topic. Raises BrokerError, as `publish` does."""
        await self._publish(topic, b"", names)

    def publish_soon(self, topic: Topic[M], message: M, *names: str) -> None:
        """Publish to the cluster in the background; the message may be lost."""
        self._cluster.publish_soon(topic, message, *names)

    async def deliver(self, topic: Topic[M], message: M, *names: str) -> None:
        """Publish to a public topic, and wait until the broker has the message. Raises BrokerError."""
        self._call_listeners(topic, message.model_dump_json().encode(), names)
        await self._public.publish(topic, message, *names)

    async def deliver_at(self, topic: str, payload: str | bytes, *, retain: bool) -> None:
        """Publish to a public topic given by its complete name, and wait as `deliver` does. Raises BrokerError."""
        await self._public.publish_at(topic, payload, retain=retain)

    async def publish_response(self, request: Received, message: Message) -> None:
        """Publish to the response topic of a request (MQTT 5). Raises BrokerError."""
        await self._public.publish_response(request, message)

    def republish_stats(self) -> None:
        """Publish all cameras' stats to the house's broker again, which may have lost them."""
        for names, payload in self._stats.items():
            self._queue_for_house(topics.CAMERA_STATS, payload, names)

    def _bus_of(self, topic: AnyTopic) -> Bus:
        return self._public if topic.plane is Plane.PUBLIC else self._cluster

    async def _publish(self, topic: AnyTopic, payload: bytes, names: tuple[str, ...]) -> None:
        self._call_listeners(topic, payload, names)
        # Stats are passed on when they are received, because edges publish them, too.
        if topic.plane is not Plane.CLUSTER and topic is not topics.CAMERA_STATS:
            self._queue_for_house(topic, payload, names)
        if topic.plane is not Plane.PUBLIC or self._house is None:
            await self._cluster.publish_plain(topic, payload, *names)

    def _call_listeners(self, topic: AnyTopic, payload: bytes, names: tuple[str, ...]) -> None:
        for listener in self._listeners:
            listener(topic, payload, names)

    def _queue_for_house(self, topic: AnyTopic, payload: bytes, names: tuple[str, ...]) -> None:
        if self._house is None:
            return
        name = topic.full_path(*names, prefix=self.prefix)
        if topic.qos:
            self._house.queue_message(name, payload, retain=topic.retain)
        else:
            self._house.publish_frame(name, payload)

    def _pass_on_stats(self, received: Received) -> None:
        """Keep the stats of a camera, and publish them to the house's broker."""
        if not received.payload:
            self._stats.pop(received.names, None)
        elif received.names in self._stats or len(self._stats) < _MAX_CAMERAS_WITH_STATS:
            self._stats[received.names] = received.payload
        self._queue_for_house(topics.CAMERA_STATS, received.payload, received.names)
