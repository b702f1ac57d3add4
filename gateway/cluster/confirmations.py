"""Confirms tiles and frames to their owners: by the connection that each edge keeps open for that, else by MQTT.

A message by MQTT costs a small device ten times as much as one by an open connection. It remains for edges of the
release before, and while an edge is not connected.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING

from shared.errors import DeepThingsError
from shared.mqtt import topics
from shared.process.lifecycle import run_together
from shared.wire.headers import FrameDoneHeader, TileDoneHeader

if TYPE_CHECKING:
    from gateway.broker.planes import Planes
    from shared.payloads.cluster import FrameDone, TileDone
    from shared.wire.connection import Connection

log = logging.getLogger(__name__)

MAX_UNSENT_CONFIRMATIONS = 1000
"""Messages that wait for one edge; the others go by MQTT, which limits itself."""

SENDING_TIMEOUT_S = 0.2
"""An edge that takes nothing for this long is about to be lost; others do not wait for it."""

Confirmation = TileDoneHeader | FrameDoneHeader


class Confirmations:
    """Sends confirmations to owners; one that is lost is made up for by leases and requests for outcomes."""

    def __init__(self, bus: Planes) -> None:
        self._bus = bus
        self._links: dict[str, asyncio.Queue[Confirmation]] = {}

    def confirm_tile(self, owner: str, done: TileDone) -> None:
        """Tell an owner that one of its tiles has arrived, or cannot be computed by a node."""
        if not self._post(owner, TileDoneHeader(done=done)):
            self._bus.publish_soon(topics.RESULTS, done, owner)

    def confirm_frame(self, owner: str, done: FrameDone) -> None:
        """Tell an owner the outcome of one of its frames."""
        if not self._post(owner, FrameDoneHeader(done=done)):
            self._bus.publish_soon(topics.OUTCOMES, done, owner)

    async def wait_sent(self, owner: str) -> None:
        """Wait until an owner's confirmations are sent, at most SENDING_TIMEOUT_S."""
        queue = self._links.get(owner)
        if queue is None:
            await asyncio.sleep(0)  # those by MQTT are sent by tasks that have been created already
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SENDING_TIMEOUT_S):
                await queue.join()

    async def serve(self, connection: Connection, node: str) -> None:
        """Send confirmations to a node until its connection is lost; a newer connection takes the place of an older."""
        queue = self._links[node] = asyncio.Queue(MAX_UNSENT_CONFIRMATIONS)
        try:
            # An edge sends nothing: receiving notices the end.
            await run_together(_send_all(queue, connection), connection.receive())
        except DeepThingsError as error:
            log.debug("edge %s: %s", node, error)
        finally:
            if self._links.get(node) is queue:
                del self._links[node]

    def _post(self, owner: str, confirmation: Confirmation) -> bool:
        queue = self._links.get(owner)
        if queue is None or queue.full():
            return False
        queue.put_nowait(confirmation)
        return True


async def _send_all(queue: asyncio.Queue[Confirmation], connection: Connection) -> None:
    """Send the confirmations of a queue until cancelled. Raises DeepThingsError."""
    while True:
        await connection.send(await queue.get())
        queue.task_done()
