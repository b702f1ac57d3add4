"""When Home Assistant is told what: at the start, when it is born, when the broker is back, when something changes."""

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
"""Changes that follow each other so closely are told together."""

SUBSCRIBE_S = 1.0
"""Home Assistant subscribes to the states of what is new within half a second; before that, they are lost on it."""

RETRY_ANNOUNCEMENT_S = 10.0
"""The broker did not take something, though there is one; when there is none, its return is not waited for."""

_DEVICE_RETURN_S = 60.0
"""After a restart an edge, or a camera that was started by hand, has so long to show up before it is removed."""

BIRTH = "online"
"""What Home Assistant says at its status topic when it has started."""

ANNOUNCED_FILE, REMOVED_FILE = "home-assistant.json", "home-assistant-removed.json"
_ANNOUNCED_LOST = (
    "what is removed while the gateway is away may stay in Home Assistant, where it can be deleted by hand"
)


class PublishDiscovery(Protocol):
    """Has the broker take a payload. Raises BrokerError."""

    def __call__(self, topic: str, payload: str, *, retain: bool) -> Awaitable[None]: ...


class Announcer:
    """Tells Home Assistant of our devices, once for whatever comes together, and takes back what is no more.

    `discovered` gives what is to be told now, `states` publishes all states once more, `publish` one message; `folder`
    keeps what was told. The methods return at once; `run` does the work.

    A Home Assistant that is not running does not hear that something was removed, and shows it as unavailable for ever
    after: so what was removed is kept as well, and removed again at its next birth message. As it only removes what it
    has discovered since its start, it is told of it once more before.
    """

    def __init__(
        self,
        discovered: Callable[[], Mapping[str, str]],
        states: Callable[[], Awaitable[None]],
        publish: PublishDiscovery,
        folder: StateFolder,
        *,
        clock: Callable[[], float] = time.monotonic,
        return_s: float = _DEVICE_RETURN_S,
    ) -> None:
        self._discovered = discovered
        self._states = states
        self._publish = publish
        self._clock = clock
        self._file: StateFile[dict[str, str]] = folder.register_file(
            ANNOUNCED_FILE, dict[TopicName, str], _ANNOUNCED_LOST
        )
        self._told = self._file.read() or {}
        self._removed_file: StateFile[dict[str, str]] = folder.register_file(
            REMOVED_FILE, dict[TopicName, str], _ANNOUNCED_LOST
        )
        self._removed = self._removed_file.read() or {}
        self._remove_again = bool(self._removed)
        self._was_born = False
        self._inherited = frozenset(
            topic for topic, said in self._told.items() if describes_node(said) or describes_camera_by_hand(said)
        )
        self._return_at = clock() + return_s
        self._asked = asyncio.Event()
        self._everything = True

    def on_connected(self) -> None:
        """There is a broker, which may have forgotten everything."""
        self._everything = True
        self._asked.set()

    def on_status(self, status: str) -> None:
        """Note what Home Assistant says of itself."""
        if status == BIRTH:
            self._remove_again = self._was_born = True
            self.on_connected()

    def request_update(self) -> None:
        """Something may be new, or gone: the configuration was read again, labels were chosen, a node came."""
        self._asked.set()

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            await self._wait()
            await asyncio.sleep(COALESCE_S)
            self._asked.clear()
            try:
                if await self._tell():
                    await asyncio.sleep(SUBSCRIBE_S)
                    await self._states()
            except BrokerError as error:
                log.debug("Home Assistant is told later: %s", error)
                self._everything = True
                await self._pause()

    async def _wait(self) -> None:
        """Until something is asked, or the time is over for nodes that were known before."""
        try:
            async with asyncio.timeout(max(0.0, self._return_at - self._clock()) if self._inherited else None):
                await self._asked.wait()
        except TimeoutError:
            self._inherited = frozenset()

    async def _pause(self) -> None:
        """After a failure: until the broker is back, or it is time to try again."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(RETRY_ANNOUNCEMENT_S):
                await self._asked.wait()
        self._asked.set()

    async def _tell(self) -> bool:
        """Whether anything was told."""
        everything, self._everything = self._everything, False
        now = self._wanted()
        partings = removal_messages(self._told, now)
        messages = {topic: said for topic, said in now.items() if everything or self._told.get(topic) != said}
        if not (partings or messages):
            return False
        self._removed = remember_removed(self._removed, self._told, now)
        self._told = announced_during_change(self._told, now)
        await self._keep()
        for topic, payload in partings:
            await self._publish(topic, payload, retain=True)
        if partings and messages:
            await asyncio.sleep(SUBSCRIBE_S)  # the same entity may come back under another topic
        for topic, payload in messages.items():
            await self._publish(topic, payload, retain=True)
        self._told = now
        if self._remove_again:
            await self._tell_removed(now)
        await self._keep()
        log.info("Home Assistant is told of %s things, and that %s are no more", len(messages), len(partings))
        return True

    async def _tell_removed(self, now: Mapping[str, str]) -> None:
        """Tell Home Assistant of what was removed while it may not have been running, then remove it again."""
        born, self._remove_again, self._was_born = self._was_born, False, False
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
        if born:
            self._removed = {}

    async def _keep(self) -> None:
        await asyncio.to_thread(self._file.write, dict(self._told))
        await asyncio.to_thread(self._removed_file.write, dict(self._removed))

    def _wanted(self) -> dict[str, str]:
        now = dict(self._discovered())
        if self._clock() >= self._return_at:
            self._inherited = frozenset()
        waiting = {topic: said for topic, said in self._told.items() if topic in self._inherited and topic not in now}
        return {**now, **waiting} if now else {}
