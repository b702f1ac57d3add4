"""Clears retained messages of cameras, zones and labels that are not configured any more."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING

from gateway.retained.retained_topics import BY_HAND_RETURN_S, RetainedTopics, expected_topics
from shared.errors import BrokerError

if TYPE_CHECKING:
    from gateway.broker.planes import Planes
    from gateway.cameras.registry import CameraRegistry
    from gateway.state.state_folder import StateFolder

CLEANER_PERIOD_S = 1.0
"""Stale topics are cleared, and the list of retained topics is written, at most this often."""


class RetainedCleaner:
    """Remembers the topics at which this gateway has retained messages, and clears those that are stale.

    `discovery_prefix` is the first level of Home Assistant's discovery topics, which the Announcer clears. `frigate` is
    the first level of Frigate's topics; None: they are not published.
    """

    def __init__(self, state: StateFolder, bus: Planes, *, discovery_prefix: str, frigate: str | None) -> None:
        self._bus = bus
        self._discovery_prefix = discovery_prefix
        self._frigate = frigate
        self._retained = RetainedTopics(state)
        self._cameras: CameraRegistry | None = None
        self._started_at = time.monotonic()
        self._check_due = True
        bus.on_retained(self._on_retained)

    @property
    def cameras_of_last_run(self) -> frozenset[str]:
        """Return the cameras that were started by hand in the last run of the gateway."""
        return self._retained.by_hand

    def follow_cameras(self, cameras: CameraRegistry) -> None:
        """Expect the topics of these cameras; others are stale."""
        self._cameras = cameras

    def check_soon(self) -> None:
        """Clear stale topics at the next check, because cameras have changed."""
        self._check_due = True

    async def clear_stale(self) -> None:
        """Clear the retained messages at topics that are not expected."""
        assert self._cameras is not None
        self._check_due = False
        configured = self._cameras.configured
        expected = expected_topics(
            {name: self._cameras.section_of(name) for name in configured},
            {name: self._cameras.followed_labels(name) for name in configured},
            self._by_hand, prefix=self._bus.prefix, frigate=self._frigate,
            areas={name: self._cameras.settings.areas(name).values() for name in configured},
            profile=bool(self._cameras.settings.profile),
        )  # fmt: skip
        for topic in self._retained.stale_topics(expected):
            with contextlib.suppress(BrokerError):  # tried again after the next connection
                await self._bus.publish_at(topic, "", retain=True)

    async def run(self) -> None:
        """Clear topics that become stale, and write the list of retained topics, until cancelled."""
        returned = False
        while True:
            await asyncio.sleep(CLEANER_PERIOD_S)
            if self._retained.by_hand and not returned and not self._may_still_return:
                returned = self._check_due = True
            if self._check_due and self._bus.public_connected.is_set():
                await self.clear_stale()
            write = self._retained.pending_write(self._by_hand)
            if write is not None:
                await asyncio.to_thread(write)

    def write_last(self) -> None:
        """Write the list of retained topics at once, because the gateway stops."""
        write = self._retained.pending_write(self._by_hand, last=True)
        if write is not None:
            write()

    def _on_retained(self, topic: str, *, retained: bool) -> None:
        if topic.startswith(f"{self._discovery_prefix}/"):
            return  # the announcer clears these
        self._retained.note_topic(topic, retained=retained)
        self._check_due |= retained

    @property
    def _may_still_return(self) -> bool:
        return time.monotonic() - self._started_at < BY_HAND_RETURN_S

    @property
    def _by_hand(self) -> frozenset[str]:
        """Return the cameras that were started by hand; for BY_HAND_RETURN_S also those of the last run."""
        assert self._cameras is not None
        return frozenset(self._cameras.by_hand) | (self._retained.by_hand if self._may_still_return else frozenset())
