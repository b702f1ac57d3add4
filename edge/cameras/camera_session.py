"""The connection of one camera's agent to this edge."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING

from shared.errors import DeepThingsError
from shared.wire.camera_headers import ControlHeader, OutcomeHeader, ReadyHeader

if TYPE_CHECKING:
    from edge.cameras.invitations import Invitations
    from shared.payloads.frames import Outcome
    from shared.wire.connection import Connection
    from shared.wire.header import Header
    from shared.wire.shared_pictures import SharedPictureReader

OUTCOME_DELAY_S = 0.3
"""Outcomes wait this long for another message to the same agent: each message wakes two processes."""


class CameraSession:
    """One connection of an agent, which sends one frame for each Ready. `shared`: the memory that the agent shares.

    `offering`: the agent was told to offer its pictures.
    """

    def __init__(
        self, camera: str, connection: Connection, invitations: Invitations, shared: SharedPictureReader | None = None
    ) -> None:
        self.camera = camera
        self.shared = shared
        self.offering = False
        self._connection = connection
        self._invitations = invitations
        self._unsent: list[Header] = []
        self._sender: asyncio.Task[None] | None = None
        self._later: asyncio.TimerHandle | None = None

    def send_ready(self) -> None:
        """Invite the agent's newest frame."""
        self._send_soon(ReadyHeader(shared=self.shared is not None))

    def on_frame_end(self, number: int, outcome: Outcome) -> None:
        """Report a frame's outcome."""
        self._invitations.on_frame_end(self.camera, time.monotonic())
        self.send_outcome(number, outcome)

    def send_outcome(self, number: int, outcome: Outcome) -> None:
        """Report a frame's outcome within OUTCOME_DELAY_S, also of one that ended before the agent reconnected."""
        released = self.shared.take_released() if self.shared is not None else ()
        self._unsent.append(OutcomeHeader(number=number, outcome=outcome, released=released))
        if self._later is None:
            self._later = asyncio.get_running_loop().call_later(OUTCOME_DELAY_S, self._begin_sending)

    def send_control(self, control: ControlHeader) -> None:
        """Send whether frames are wanted, and at which rate."""
        self.offering = control.offers
        self._send_soon(control)

    def close(self) -> None:
        """Close the connection; outcomes that wait are requested by the agent when it has connected again."""
        if self._later is not None:
            self._later.cancel()
        self._connection.close()

    def close_memory(self) -> None:
        """Accept no more pictures in the shared memory; those that are still read stay."""
        if self.shared is not None:
            self.shared.close()

    def _send_soon(self, header: Header) -> None:
        """Send a message, together with others of the same turn of the loop, and with the outcomes that wait."""
        self._unsent.append(header)
        self._begin_sending()

    def _begin_sending(self) -> None:
        if self._later is not None:
            self._later.cancel()
            self._later = None
        if self._sender is None or self._sender.done():
            self._sender = asyncio.create_task(self._send_unsent())

    async def _send_unsent(self) -> None:
        with contextlib.suppress(DeepThingsError):
            while self._unsent:
                headers, self._unsent = self._unsent, []
                await self._connection.send_together(headers)

    async def flush(self) -> None:
        """Wait until all messages are sent."""
        self._begin_sending()
        assert self._sender is not None
        await self._sender
