"""Confirms tiles and frames to their owners, by the connection that each edge keeps open for that, else by MQTT.

A message by MQTT costs a small device ten times as much as one by an open connection. It remains for edges of the
release before, and while an edge is not connected. Owners are told the workers of their tiles by the connection only.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from shared.errors import DeepThingsError
from shared.mqtt import topics
from shared.wire.headers import FrameDoneHeader, TileDoneHeader, TileHeader
from shared.wire.message_batcher import MessageBatcher

if TYPE_CHECKING:
    from gateway.broker.planes import Planes
    from shared.payloads.cluster import FrameDone, TileDone
    from shared.wire.connection import Connection

log = logging.getLogger(__name__)

MAX_UNSENT_CONFIRMATIONS = 1000
"""Messages that wait for one edge; the others go by MQTT, which limits itself."""

SENDING_TIMEOUT_S = 0.2
"""An edge that takes nothing for this long is about to be lost; others do not wait for it."""

Confirmation = TileDoneHeader | FrameDoneHeader | TileHeader


class Confirmations:
    """Sends confirmations to owners; one that is lost is made up for by leases and requests for outcomes."""

    def __init__(self, bus: Planes) -> None:
        self._bus = bus
        self._links: dict[str, MessageBatcher] = {}

    def confirm_tile(self, owner: str, done: TileDone) -> None:
        """Tell an owner that one of its tiles has arrived, or cannot be computed by a node."""
        if not self._post(owner, TileDoneHeader(done=done)):
            self._bus.publish_soon(topics.RESULTS, done, owner)

    def confirm_frame(self, owner: str, done: FrameDone) -> None:
        """Tell an owner the outcome of one of its frames."""
        if not self._post(owner, FrameDoneHeader(done=done)):
            self._bus.publish_soon(topics.OUTCOMES, done, owner)

    def assign_tile(self, owner: str, tile: TileHeader) -> bool:
        """Tell an owner the workers of one of its tiles; return False while it is not connected."""
        return self._post(owner, tile)

    async def wait_sent(self, owner: str) -> None:
        """Wait until an owner's confirmations are sent, at most SENDING_TIMEOUT_S."""
        link = self._links.get(owner)
        if link is None:
            await asyncio.sleep(0)  # for the tasks that publish by MQTT
        else:
            await link.wait_sent(SENDING_TIMEOUT_S)

    async def serve(self, connection: Connection, node: str) -> None:
        """Send confirmations to a node until its connection is lost; a newer connection takes the place of an older."""
        connection.may_idle = True
        link = self._links[node] = MessageBatcher(connection)
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
        if link is None or len(link) >= MAX_UNSENT_CONFIRMATIONS:
            return False
        link.send_soon(confirmation)
        return True
