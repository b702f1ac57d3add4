"""Confirms tiles and frames to their owners: by the link, the connection that each edge keeps open, else by MQTT.

A message by MQTT costs a small device ten times as much as one by the link. MQTT remains for edges of the release
before, which have no link, and for the time when a link is lost. Assignments of tiles are sent by the link only.
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
"""Messages that wait for the link of one edge; further ones go by MQTT, which has its own limit."""

SENDING_TIMEOUT_S = 0.2
"""An edge that receives nothing for this long is about to be lost; nobody waits for it any longer."""

Confirmation = TileDoneHeader | FrameDoneHeader | TileHeader


class Confirmations:
    """Sends confirmations to owners. Lost ones do no harm: leases end, and owners request missing outcomes."""

    def __init__(self, bus: Planes) -> None:
        self._bus = bus
        self._links: dict[str, MessageBatcher] = {}

    def confirm_tile(self, owner: str, done: TileDone) -> None:
        """Confirm to an owner that one of its tiles has arrived, or that a node failed to compute it."""
        if not self._post(owner, TileDoneHeader(done=done)):
            self._bus.publish_soon(topics.RESULTS, done, owner)

    def confirm_frame(self, owner: str, done: FrameDone) -> None:
        """Send an owner the outcome of one of its frames."""
        if not self._post(owner, FrameDoneHeader(done=done)):
            self._bus.publish_soon(topics.OUTCOMES, done, owner)

    def assign_tile(self, owner: str, tile: TileHeader) -> bool:
        """Send an owner the workers of one of its tiles; return False if it has no link."""
        return self._post(owner, tile)

    async def wait_sent(self, owner: str) -> None:
        """Wait until an owner's confirmations are sent, at most SENDING_TIMEOUT_S."""
        link = self._links.get(owner)
        if link is None:
            await asyncio.sleep(0)  # let the tasks run that publish by MQTT
        else:
            await link.wait_sent(SENDING_TIMEOUT_S)

    async def serve(self, connection: Connection, node: str) -> None:
        """Send confirmations to a node by this connection until it is lost; it replaces an older connection."""
        connection.may_idle = True
        link = self._links[node] = MessageBatcher(connection)
        try:
            await connection.receive()  # the edge sends nothing; this only ends when the connection does
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
