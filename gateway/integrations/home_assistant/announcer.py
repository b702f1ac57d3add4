"""Publishes discovery messages: at the start, after changes, and after a restart of Home Assistant or the broker."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import TYPE_CHECKING, Protocol

from gateway.integrations.home_assistant.camera_device import describes_camera_by_hand
from gateway.integrations.home_assistant.entity_removal import (
    announced_during_change,
    remember_removed,
    removal_messages,
)
from gateway.integrations.home_assistant.node_device import describes_node
from gateway.state.state_file import TopicName
from shared.errors import BrokerError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from gateway.state.state_file import StateFile
    from gateway.state.state_folder import StateFolder

log = logging.getLogger(__name__)

COALESCE_S = 0.3
"""Changes within this time are published together."""

SUBSCRIBE_S = 1.0
"""Pause after discovery messages, before states are published: Home Assistant subscribes to the states of new entities
within half a second, and misses earlier messages."""

RETRY_ANNOUNCEMENT_S = 10.0
"""Time before a retry if the connected broker did not accept a message; after a reconnect the retry is at once."""

_DEVICE_RETURN_TIMEOUT_S = 60.0
"""Time that edges, and cameras started by hand, have to return after a restart of the gateway; then their devices are
removed from Home Assistant."""

BIRTH = "online"
"""The birth message: Home Assistant publishes it at its status topic after its start."""

ANNOUNCED_FILE, REMOVED_FILE = "home-assistant.json", "home-assistant-removed.json"
_ANNOUNCED_LOST = "devices that are removed while the gateway is off may stay in Home Assistant; delete them there"


class PublishDiscovery(Protocol):
    """Publishes a payload, and waits until the broker has it. Raises BrokerError."""

    def __call__(self, topic: str, payload: str, *, retain: bool) -> Awaitable[None]: ...


class Announcer:
    """Publishes our devices to Home Assistant, and removes those that no longer exist.

    `discovered()` returns the current discovery payloads by topic; `states()` republishes all states; `publish`
    publishes one message; `folder` keeps the published payloads over restarts. The public methods return at once; `run`
    does the work.

    Home Assistant misses removals while it is not running, and would then show the entities as unavailable for ever.
    Therefore removals are kept, and repeated after its next birth message. As Home Assistant only removes entities that
    it has discovered since its start, they are first published once more.
    """

    def __init__(
        self,
        discovered: Callable[[], Mapping[str, str]],
        states: Callable[[], Awaitable[None]],
        publish: PublishDiscovery,
        folder: StateFolder,
        *,
        clock: Callable[[], float] = time.monotonic,
        return_s: float = _DEVICE_RETURN_TIMEOUT_S,
    ) -> None:
        self._discovered = discovered
        self._states = states
        self._publish = publish
        self._clock = clock
        self._file: StateFile[dict[str, str]] = folder.register_file(
            ANNOUNCED_FILE, dict[TopicName, str], _ANNOUNCED_LOST
        )
        self._announced = self._file.read() or {}
        self._removed_file: StateFile[dict[str, str]] = folder.register_file(
            REMOVED_FILE, dict[TopicName, str], _ANNOUNCED_LOST
        )
        self._removed = self._removed_file.read() or {}
        self._remove_again = bool(self._removed)
        self._started_again = False
        self._inherited = frozenset(
            topic
            for topic, payload in self._announced.items()
            if describes_node(payload) or describes_camera_by_hand(payload)
        )
        self._return_at = clock() + return_s
        self._requested = asyncio.Event()
        self._publish_all = True

    def on_connected(self) -> None:
        """Publish everything again: the broker is connected, and may have lost all retained messages."""
        self._publish_all = True
        self._requested.set()

    def on_status(self, status: str) -> None:
        """Handle a message at the status topic of Home Assistant; after its start, publish everything again."""
        if status == BIRTH:
            self._remove_again = self._started_again = True
            self.on_connected()

    def request_update(self) -> None:
        """Publish changes soon. To be called after any change of the configuration, labels, nodes or cameras."""
        self._requested.set()

    async def run(self) -> None:
        """Publish as requested, until cancelled."""
        while True:
            await self._wait()
            await asyncio.sleep(COALESCE_S)
            self._requested.clear()
            try:
                if await self._publish_changes():
                    await asyncio.sleep(SUBSCRIBE_S)
                    await self._states()
            except BrokerError as error:
                log.debug("Home Assistant cannot be informed now: %s", error)
                self._publish_all = True
                await self._pause()

    async def _wait(self) -> None:
        """Wait for a request, or until the time is over in which devices of the last run must return."""
        try:
            async with asyncio.timeout(max(0.0, self._return_at - self._clock()) if self._inherited else None):
                await self._requested.wait()
        except TimeoutError:
            self._inherited = frozenset()

    async def _pause(self) -> None:
        """Wait after a failure: for RETRY_ANNOUNCEMENT_S, or until the broker is connected again."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(RETRY_ANNOUNCEMENT_S):
                await self._requested.wait()
        self._requested.set()

    async def _publish_changes(self) -> bool:
        """Publish the discovery messages that have changed. Return whether there were any."""
        publish_all, self._publish_all = self._publish_all, False
        now = self._wanted()
        removed = removal_messages(self._announced, now)
        messages = {
            topic: payload for topic, payload in now.items() if publish_all or self._announced.get(topic) != payload
        }
        if not (removed or messages):
            return False
        self._removed = remember_removed(self._removed, self._announced, now)
        self._announced = announced_during_change(self._announced, now)
        await self._keep()  # before publishing, so that after a crash the file has all that Home Assistant may know
        for topic, payload in removed:
            await self._publish(topic, payload, retain=True)
        if removed and messages:
            await asyncio.sleep(SUBSCRIBE_S)  # a removed entity may be published again at another topic
        for topic, payload in messages.items():
            await self._publish(topic, payload, retain=True)
        self._announced = now
        if self._remove_again:
            await self._repeat_removals(now)
        await self._keep()
        log.info("published to Home Assistant: %s discovery messages, %s removals", len(messages), len(removed))
        return True

    async def _repeat_removals(self, now: Mapping[str, str]) -> None:
        """Publish the devices that were removed while Home Assistant may have been off, and remove them again."""
        started_again, self._remove_again, self._started_again = self._started_again, False, False
        removed = dict(self._removed)
        if not removed:
            return
        for topic, payload in removed.items():
            await self._publish(topic, payload, retain=False)
        await asyncio.sleep(SUBSCRIBE_S)
        for topic, payload in removal_messages(removed, {topic: now[topic] for topic in removed if topic in now}):
            await self._publish(topic, payload, retain=True)
        for topic in [topic for topic in removed if topic in now]:
            await self._publish(topic, now[topic], retain=True)
        if started_again:
            self._removed = {}

    async def _keep(self) -> None:
        await asyncio.to_thread(self._file.write, dict(self._announced))
        await asyncio.to_thread(self._removed_file.write, dict(self._removed))

    def _wanted(self) -> dict[str, str]:
        """Return the payloads that Home Assistant should have, by topic, with those of devices that may return."""
        now = dict(self._discovered())
        if self._clock() >= self._return_at:
            self._inherited = frozenset()
        waiting = {
            topic: payload
            for topic, payload in self._announced.items()
            if topic in self._inherited and topic not in now
        }
        return {**now, **waiting} if now else {}
