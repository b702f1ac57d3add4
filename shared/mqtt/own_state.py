"""The retained state of this process, which is published again when other clients overwrite it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Generic, TypeVar

from shared.errors import BrokerError
from shared.payloads.cluster import BridgeState, NodeState

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from shared.payloads.cluster import State

log = logging.getLogger(__name__)

STATE_SETTLE_S = 1.0
"""Pause before a received state is judged: the retained state of an earlier run comes just before our own state comes
back, and needs no correction."""

CORRECTION_PERIOD_S = 5.0
"""Pause after a correction, so that two processes that overwrite each other's state do not fill the network."""

S = TypeVar("S", BridgeState, NodeState)


class OwnState(Generic[S]):
    """Compares the received state with our own, and publishes ours again while they differ."""

    def __init__(self, state: Callable[[], S], publish: Callable[[], Awaitable[None]]) -> None:
        """`state` returns our state; `publish` publishes it, and may raise BrokerError."""
        self._state: Callable[[], S] = state
        self._publish = publish
        self._received: S | None = None
        self._arrived = asyncio.Event()

    def on_received(self, state: S) -> None:
        """Process a state that was received on our topic."""
        self._received = state
        self._arrived.set()

    def differs(self) -> bool:
        """Return whether the last received state is not ours."""
        received = self._received
        return received is not None and _compared_fields(received) != _compared_fields(self._state())

    async def run(self) -> None:
        """Correct the state until cancelled."""
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            await asyncio.sleep(STATE_SETTLE_S)
            if self.differs():
                with contextlib.suppress(BrokerError):  # lost meanwhile: the next connection publishes it anyway
                    await self._publish()
                    log.warning("another client published a wrong state in our name; ours is published again")
                await asyncio.sleep(CORRECTION_PERIOD_S)


def _compared_fields(state: NodeState | BridgeState) -> tuple[State, int, str]:
    return state.state, state.protocol, state.identity.instance
