"""The connection of one camera's agent to this edge."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from shared.wire.camera_headers import ControlHeader, OutcomeHeader, ReadyHeader
from shared.wire.message_batcher import MessageBatcher

if TYPE_CHECKING:
    from edge.cameras.invitations import Invitations
    from shared.payloads.frames import Outcome
    from shared.wire.connection import Connection
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
        self._messages = MessageBatcher(connection)

    def send_ready(self) -> None:
        """Invite the agent's newest frame."""
        self._messages.send_soon(ReadyHeader(shared=self.shared is not None))

    def on_frame_end(self, number: int, outcome: Outcome) -> None:
        """Report a frame's outcome."""
        self._invitations.on_frame_end(self.camera, time.monotonic())
        self.send_outcome(number, outcome)

    def send_outcome(self, number: int, outcome: Outcome) -> None:
        """Report a frame's outcome within OUTCOME_DELAY_S, also of one that ended before the agent reconnected."""
        released = self.shared.take_released() if self.shared is not None else ()
        outcome_header = OutcomeHeader(number=number, outcome=outcome, released=released)
        self._messages.send_within(outcome_header, OUTCOME_DELAY_S)

    def send_control(self, control: ControlHeader) -> None:
        """Send whether frames are wanted, and at which rate."""
        self.offering = control.offers
        self._messages.send_soon(control)

    def close(self) -> None:
        """Close the connection; outcomes that wait are requested by the agent when it has connected again."""
        self._messages.close()
        self._connection.close()

    def close_memory(self) -> None:
        """Accept no more pictures in the shared memory; those that are still read stay."""
        if self.shared is not None:
            self.shared.close()

    async def flush(self) -> None:
        """Wait until all messages are sent."""
        await self._messages.wait_sent()
