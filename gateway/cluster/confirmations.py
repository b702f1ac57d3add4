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


class _Link:
    """The connection of one edge, and what waits to be sent by it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._waiting: asyncio.Queue[Confirmation] = asyncio.Queue(MAX_UNSENT_CONFIRMATIONS)
        self._sending = False

    def post(self, confirmation: Confirmation) -> bool:
        """Send this soon; return False when too many wait."""
        if self._waiting.full():
            return False
        self._waiting.put_nowait(confirmation)
        return True

    async def run(self) -> None:
        """Send until the connection is lost. Raises DeepThingsError."""
        await run_together(self._send_all(), self._connection.receive())  # an edge sends nothing: that notices the end

    async def wait_sent(self) -> None:
        """Wait until everything is sent, at most SENDING_TIMEOUT_S."""
        if self._sending or not self._waiting.empty():  # seldom, so that hardly any frame needs a timer
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SENDING_TIMEOUT_S):
                    await self._waiting.join()

    async def _send_all(self) -> None:
        while True:
            confirmation = await self._waiting.get()
            self._sending = True
            await self._connection.send(confirmation)
            self._sending = False
            self._waiting.task_done()


class Confirmations:
    """Sends confirmations to owners; one that is lost is made up for by leases and requests for outcomes."""

    def __init__(self, bus: Planes) -> None:
        self._bus = bus
        self._links: dict[str, _Link] = {}

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
        await asyncio.sleep(0)  # one turn is enough for a link, and for the tasks that publish by MQTT
        link = self._links.get(owner)
        if link is not None:
            await link.wait_sent()

    async def serve(self, connection: Connection, node: str) -> None:
        """Send confirmations to a node until its connection is lost; a newer connection takes the place of an older."""
        link = self._links[node] = _Link(connection)
        try:
            await link.run()
        except DeepThingsError as error:
            log.debug("edge %s: %s", node, error)
        finally:
            if self._links.get(node) is link:
                del self._links[node]

    def _post(self, owner: str, confirmation: Confirmation) -> bool:
        link = self._links.get(owner)
        return link is not None and link.post(confirmation)
