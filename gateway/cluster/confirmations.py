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
        link = self._links.get(owner)
        if link is None:
            await asyncio.sleep(0)  # for the tasks that publish by MQTT
        else:
            await link.wait_sent()

    async def serve(self, connection: Connection, node: str) -> None:
        """Send confirmations to a node until its connection is lost; a newer connection takes the place of an older."""
        link = self._links[node] = _Link(connection)
        try:
            await connection.receive()  # an edge sends nothing: this notices the end
        except DeepThingsError as error:
            log.debug("edge %s: %s", node, error)
        finally:
            link.close()
            if self._links.get(node) is link:
                del self._links[node]

    def _post(self, owner: str, confirmation: Confirmation) -> bool:
        link = self._links.get(owner)
        return link is not None and link.post(confirmation)


class _Link:
    """The connection of one edge, and what waits for it: the tile and the frame that it completes go together."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._unsent: list[Confirmation] = []
        self._sender: asyncio.Task[None] | None = None

    def post(self, confirmation: Confirmation) -> bool:
        """Send a confirmation soon; return False when too many wait."""
        if len(self._unsent) >= MAX_UNSENT_CONFIRMATIONS:
            return False
        self._unsent.append(confirmation)
        if len(self._unsent) == 1:
            asyncio.get_running_loop().call_soon(self._begin_sending)
        return True

    async def wait_sent(self) -> None:
        """Wait until all is sent, at most SENDING_TIMEOUT_S."""
        self._begin_sending()
        if self._sender is not None:
            await asyncio.wait([self._sender], timeout=SENDING_TIMEOUT_S)

    def close(self) -> None:
        if self._sender is not None:
            self._sender.cancel()

    def _begin_sending(self) -> None:
        if self._unsent and (self._sender is None or self._sender.done()):
            self._sender = asyncio.create_task(self._send())

    async def _send(self) -> None:
        with contextlib.suppress(DeepThingsError):  # the connection is closed then, and `serve` ends
            while self._unsent:
                confirmations, self._unsent = self._unsent, []
                await self._connection.send_together(confirmations)
