"""Whoever subscribes to everything public, as an automation would: what is retained, and what was said."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING, Any

import aiomqtt

from shared.mqtt.broker_login import ANONYMOUS, Login
from tests.contract import broken_promise

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from shared.network.addresses import Address

FILTERS = ("deepthings/detections/#", "deepthings/cameras/#", "deepthings/bridge/#", "frigate/#", "homeassistant/#")


class Listener:
    """Connected to a broker, again whenever it comes back."""

    def __init__(self, broker: Address, login: Login = ANONYMOUS) -> None:
        self.now: dict[str, bytes] = {}
        self.said: list[tuple[str, bytes]] = []
        self.broken: set[str | None] = set()
        """What was said and is not as docs/asyncapi.json has it."""
        self._broker = broker
        self._login = login
        self._client: aiomqtt.Client | None = None
        self._heard = asyncio.Event()

    async def run(self) -> None:
        while True:
            with contextlib.suppress(aiomqtt.MqttError):
                client = aiomqtt.Client(*self._broker, username=self._login.username, password=self._login.password)
                async with client:
                    for each in FILTERS:
                        await client.subscribe(each, qos=1)
                    self._client = client
                    async for message in client.messages:
                        assert isinstance(message.payload, bytes)
                        self.now[str(message.topic)] = message.payload
                        self.said.append((str(message.topic), message.payload))
                        self.broken |= {broken_promise(*self.said[-1])} - {None}
                        self._heard.set()
            self._client = None
            await asyncio.sleep(0.2)

    def forget(self) -> None:
        """What was heard before does not count any more."""
        self.now.clear()
        self.said.clear()

    async def say(self, topic: str, payload: str, *, retain: bool = False) -> None:
        """Below `deepthings/`."""
        assert self._client is not None
        await self._client.publish(f"deepthings/{topic}", payload, qos=1, retain=retain)

    def text(self, topic: str) -> str | None:
        """The last payload below `deepthings/`."""
        payload = self.now.get(f"deepthings/{topic}")
        return None if payload is None else payload.decode()

    def count(self, topic: str) -> int | None:
        """The last count of objects there."""
        said = self.text(topic)
        return int(json.loads(said)["count"]) if said else None

    def all(self, topic: str) -> list[dict[str, Any]]:
        """Everything that was said there, in order."""
        return [json.loads(payload) for where, payload in self.said if where == f"deepthings/{topic}" and payload]

    async def until(self, what: str, condition: Callable[[], object], timeout_s: float = 15.0) -> None:
        """Wait until it holds; it is looked at whenever something was said."""
        try:
            async with asyncio.timeout(timeout_s):
                while not condition():
                    self._heard.clear()
                    await self._heard.wait()
        except TimeoutError:
            shown = {topic: payload[:80] for topic, payload in self.now.items() if "snapshot" not in topic}
            raise AssertionError(f"{what} did not happen within {timeout_s:.0f} s; said was {shown}") from None


@contextlib.asynccontextmanager
async def listening(broker: Address, login: Login = ANONYMOUS) -> AsyncIterator[Listener]:
    """A listener for as long as the context lasts."""
    listener = Listener(broker, login)
    running = asyncio.create_task(listener.run())
    try:
        yield listener
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert not listener.broken
