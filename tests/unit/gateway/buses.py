"""A bus without a broker: it remembers what is said and what would be retained."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from shared.errors import BrokerError
from shared.mqtt.received import Received
from shared.mqtt.topic_kinds import PlainTopic

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.mqtt.topic_kinds import Topic
    from shared.payloads.base import Message


class StandInBus:
    """In the place of a Bus, or of Planes with one broker. While it is `away` nothing can be published."""

    prefix = "deepthings"
    frames_dropped = 0

    def __init__(self) -> None:
        self.connected = asyncio.Event()
        self.connected.set()
        self.said: list[tuple[str, bytes]] = []
        self.retained: dict[str, bytes] = {}
        self.answers: list[tuple[Received, Message]] = []
        self.heard: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue()
        self._handlers: dict[str, Callable[..., Any]] = {}
        self._note_retained: Callable[..., None] = lambda *_, **__: None
        self._watchers: list[Callable[..., None]] = []

    @property
    def public_connected(self) -> asyncio.Event:
        return self.connected

    @property
    def cluster_connected(self) -> asyncio.Event:
        return self.connected

    @property
    def away(self) -> bool:
        return not self.connected.is_set()

    @away.setter
    def away(self, away: bool) -> None:
        if away:
            self.connected.clear()
        else:
            self.connected.set()

    def forget(self) -> None:
        """As a broker does that is started again."""
        self.said.clear()
        self.retained.clear()

    def on_retained(self, note: Callable[..., None]) -> None:
        self._note_retained = note

    def on_published(self, listener: Callable[..., None]) -> None:
        self._watchers.append(listener)

    def on(self, topic: Topic[Any], handler: Callable[[str, Any], Any], name: str = "+") -> None:  # noqa: ARG002
        self._handlers[topic.path] = handler

    def on_plain(self, topic: PlainTopic, handler: Callable[[Received], Any], *, queued: bool = False) -> None:  # noqa: ARG002
        self._handlers[topic.path] = handler

    async def hear(self, topic: Topic[Any] | PlainTopic, *said: Any) -> None:
        """A message comes in: name and message, or a Received."""
        result = self._handlers[topic.path](*said)
        if result is not None:
            await result

    async def hear_plain(self, topic: PlainTopic, payload: bytes, *names: str, **more: Any) -> None:
        await self.hear(topic, Received(names, payload, more.pop("retained", False), **more))

    async def publish(self, topic: Topic[Any], message: Message, *names: str) -> None:
        assert isinstance(message, topic.message)
        await self._publish(topic, message.model_dump_json().encode(), names)

    async def deliver(self, topic: Topic[Any], message: Message, *names: str) -> None:
        await self.publish(topic, message, *names)

    async def deliver_at(self, topic: str, payload: str | bytes, *, retain: bool) -> None:
        await self.publish_at(topic, payload, retain=retain)

    async def publish_plain(self, topic: PlainTopic, payload: bytes, *names: str) -> None:
        await self._publish(topic, payload, names)

    async def publish_at(self, topic: str, payload: str | bytes, *, retain: bool) -> None:
        root, _, path = topic.partition("/")
        said = payload.encode() if isinstance(payload, str) else payload
        await self._publish(PlainTopic(path, "", retain=retain, root=root), said, ())

    async def clear_retained(self, topic: Topic[Any] | PlainTopic, *names: str) -> None:
        await self._publish(topic, b"", names)

    async def publish_response(self, request: Received, message: Message) -> None:
        if self.away:
            raise BrokerError("there is no broker")
        self.answers.append((request, message))

    async def _publish(self, topic: Topic[Any] | PlainTopic, payload: bytes, names: tuple[str, ...]) -> None:
        await asyncio.sleep(0)  # as a broker's answer does, it lets others run
        for watcher in self._watchers:
            watcher(topic, payload, names)
        if self.away:
            raise BrokerError("there is no broker")
        where = topic.full_path(*names).removeprefix("deepthings/")
        assert "+" not in where, f"a name is missing: {where}"
        self.said.append((where, payload))
        self.heard.put_nowait((where, payload))
        if topic.retain and payload:
            self.retained[where] = payload
        elif topic.retain:
            self.retained.pop(where, None)
        if topic.retain:
            self._note_retained(topic.full_path(*names), retained=bool(payload))

    def payloads(self, where: str) -> list[bytes]:
        """All that was said there."""
        return [payload for topic, payload in self.said if topic == where]

    def json(self, where: str) -> list[Any]:
        return [json.loads(payload) for payload in self.payloads(where)]

    async def next(self, where: str) -> bytes:
        """The next payload there that is not taken yet; what is said elsewhere is passed over."""
        async with asyncio.timeout(10):
            while True:
                topic, payload = await self.heard.get()
                if topic == where:
                    return payload
