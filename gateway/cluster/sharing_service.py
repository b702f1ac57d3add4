"""Work sharing on the data plane: tiles from owners in, and out to the nodes that shall compute them."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from gateway.cluster.share_queue import ShareQueue, TileShare
from shared.wire.courier import Courier
from shared.wire.headers import Tile, WorkerRef

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gateway.membership.members import Membership
    from shared.network.addresses import Address
    from shared.plan.plan import Plan
    from shared.wire.connection import Payload, Traffic

log = logging.getLogger(__name__)

MAX_UNSENT_TILES = 1024
"""Tiles on their way to one node: all of thirty-two frames in thirty-two tiles."""

CollectedTile = tuple[Tile, "Payload"]
"""A tile as its owner sent it."""


class SharingService:
    """Sends every tile of the current plan's frames to a node, and once more when that node is lost."""

    def __init__(
        self, members: Membership, traffic: Traffic, capacity: int, may_compute: Callable[[str], bool] = lambda _: True
    ) -> None:
        """`may_compute` says which nodes may be given tiles."""
        self._may_compute = may_compute
        self._members = members
        self._capacity = capacity
        self._courier = Courier(traffic, MAX_UNSENT_TILES, self._on_lost)
        self._epoch = 0
        self._nodes: tuple[str, ...] = ()
        self._sharing: ShareQueue[CollectedTile] = ShareQueue(1, 1.0, 0, together=False)

    def adopt_plan(self, plan: Plan, nodes: Sequence[str] = ()) -> None:
        """A new plan; `nodes` are those that its tiles were made for, in order, where that matters."""
        self._nodes = tuple(nodes)
        together = len(plan.stages) > 1
        self._sharing = ShareQueue(plan.tile_count, plan.deadline_s / 2, self._capacity, together=together)
        self._epoch = plan.epoch

    async def run(self) -> None:
        """Live until cancelled."""
        await self._courier.run()

    def on_tile(self, header: Tile, payload: Payload) -> None:
        """An owner brings a tile."""
        now = time.monotonic()
        self._send(self._sharing.add_tile(header.info.frame, header.tile, (header, payload), self._able_nodes(), now))

    def on_result(self, frame: str, tile: int) -> None:
        self._sharing.tile_done(frame, tile)

    def on_tile_failed(self, frame: str, tile: int, node: str) -> None:
        """A node cannot compute a tile."""
        self._send(self._sharing.tile_failed(frame, tile, node, self._able_nodes(), time.monotonic()))

    def on_barred(self, node: str) -> None:
        """A node may not compute any more: what it has goes to others."""
        self._send(self._sharing.reassign_node(node, self._able_nodes(), time.monotonic()))

    def drop_frame(self, frame: str) -> None:
        self._sharing.drop_frame(frame)

    def on_node_lost(self, node: str) -> None:
        address = self._members.last_address(node)
        if address is not None:
            self._courier.forget(address)
        left = tuple(name for name in self._able_nodes() if name != node)
        self._send(self._sharing.reassign_node(node, left, time.monotonic()))

    def reassign_expired(self) -> None:
        """Look at what is late, now and then."""
        self._send(self._sharing.reassign_expired(self._able_nodes(), time.monotonic()))

    def _able_nodes(self) -> tuple[str, ...]:
        """Nodes that follow the plan: those that it was made for, in its order; all others only when none is there."""
        ready = tuple(name for name in self._members.ready_nodes(self._epoch) if self._may_compute(name))
        return tuple(name for name in self._nodes if name in ready) or ready

    def _on_lost(self, address: Address) -> None:
        for node in self._able_nodes():
            if self._members.address(node) == address:
                left = tuple(name for name in self._able_nodes() if name != node)
                self._send(self._sharing.reassign_node(node, left, time.monotonic()))

    def _send(self, shares: Sequence[TileShare[CollectedTile]]) -> None:
        for share in shares:
            header, payload = share.tile
            address = self._members.address(share.node)
            workers = [self._members.online(name) for name in share.workers]
            if address is None or None in workers:
                continue  # it has just gone; the share comes back with its lease
            refs = tuple(WorkerRef(node=node.node, host=node.host, port=node.port) for node in workers if node)
            said = header.model_copy(update={"attempt": share.attempt, "workers": refs})
            log.debug("%s tile %s shared to %s", header.info.frame, header.tile, share.node)
            if not self._courier.post(address, (said, [payload.data])):
                log.warning("%s tile %s not sent: too many wait for %s", header.info.frame, header.tile, share.node)
