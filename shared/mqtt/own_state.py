"""The retained state of this process: published again when others have overwritten it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Generic, TypeVar

from shared.errors import BrokerError
from shared.payloads.cluster import BridgeState, NodeState

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

log = logging.getLogger(__name__)

STATE_SETTLE_S = 1.0
"""What was retained of an earlier run comes before our own state comes back: that is no reason to object."""

CORRECTION_PERIOD_S = 5.0
"""Two who contradict each other do so no more often than this."""

S = TypeVar("S", BridgeState, NodeState)


class OwnState(Generic[S]):
    """Compares what is heard of our own state with what it is, and has it published again while they differ."""

    def __init__(self, state: Callable[[], S], publish: Callable[[], Awaitable[None]]) -> None:
        """`state` is how we are; `publish` tells it, and may raise BrokerError."""
        self._state: Callable[[], S] = state
        self._publish = publish
        self._heard: S | None = None
        self._came = asyncio.Event()

    def on_received(self, state: S) -> None:
        """Take in what the broker has as our state now."""
        self._heard = state
        self._came.set()

    def differs(self) -> bool:
        """Return whether what was heard last is not our state."""
        own, heard = self._state(), self._heard
        return heard is not None and (
            (heard.state, heard.protocol, heard.identity.instance) != (own.state, own.protocol, own.identity.instance)
        )

    async def run(self) -> None:
        """Object until cancelled."""
        while True:
            await self._came.wait()
            self._came.clear()
            await asyncio.sleep(STATE_SETTLE_S)
            if self.differs():
                with contextlib.suppress(BrokerError):  # one that ends tells our will itself, and is gone by now
                    await self._publish()
                    log.warning("the broker had a state of us that is not ours, published by another: it is corrected")
                await asyncio.sleep(CORRECTION_PERIOD_S)
