"""Work sharing on the data plane: receives tiles from owners and sends them to the nodes that compute them.

Of an assigned tile the owner sends only the header. It then gets the tile's worker, and sends the pixels there itself.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.cluster.share_queue import ShareQueue, TileShare
from gateway.planning.tile_allocation import share_out_tiles
from shared.plan.plan import Distribution
from shared.security.data_security import ExpectedPeer
from shared.security.member_list import Role
from shared.wire.courier import Courier
from shared.wire.headers import TileHeader, WorkerRef

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gateway.membership.members import Membership
    from shared.network.addresses import Address
    from shared.plan.plan import Plan
    from shared.wire.connection import Payload
    from shared.wire.wire_traffic import WireTraffic

log = logging.getLogger(__name__)

MAX_UNSENT_TILES = 1024
"""Tiles that wait to be sent to one node: all tiles of 32 frames in 32 tiles."""

CollectedTile = tuple[TileHeader, "Payload"]
"""A tile as its owner sent it."""


@dataclass(frozen=True, slots=True)
class _SharedPlan:
    """A plan whose tiles are shared out. `by_speed`: tiles are assigned to the nodes in proportion to their speeds.

    `nodes` as in SharingService.add_plan.
    """

    epoch: int
    tile_count: int
    by_speed: bool
    shares: ShareQueue[CollectedTile]
    nodes: tuple[str, ...]


class SharingService:
    """Assigns every tile of a frame to a node, and to another one if that node is lost, barred or late."""

    def __init__(
        self,
        members: Membership,
        traffic: WireTraffic,
        capacity: int,
        assign: Callable[[str, TileHeader], bool],
        may_compute: Callable[[str], bool] = lambda _: True,
        on_granted: Callable[[str, str], None] = lambda *_: None,
        speeds_of: Callable[[Sequence[str]], Sequence[float]] = lambda nodes: [1.0] * len(nodes),
    ) -> None:
        """`assign(owner, tile)` sends an owner the workers of a tile, and returns whether that was possible.

        `capacity`: frames at the same time in each plan. `may_compute(node)` returns whether a node may be given tiles;
        `on_granted(node, owner)` is called for each tile that is given to a node; `speeds_of(nodes)` returns the speeds
        of nodes, relative to each other.
        """
        self._speeds_of = speeds_of
        self._on_granted = on_granted
        self._assign = assign
        self._may_compute = may_compute
        self._members = members
        self._capacity = capacity
        self._courier = Courier(traffic, MAX_UNSENT_TILES, self._on_lost)
        self._plans: dict[int, _SharedPlan] = {}

    def add_plan(self, plan: Plan, nodes: Sequence[str] = ()) -> None:
        """Share out the tiles of a plan.

        `nodes`: the nodes that these were made for, by tile; empty if they fit any.
        """
        shares: ShareQueue[CollectedTile] = ShareQueue(
            plan.tile_count, plan.deadline_s / 2, self._capacity, together=len(plan.stages) > 1
        )
        by_speed = plan.distribution is Distribution.ASSIGNING and len(plan.stages) > 1
        self._plans[plan.epoch] = _SharedPlan(plan.epoch, plan.tile_count, by_speed, shares, tuple(nodes))

    def forget_plan(self, epoch: int) -> None:
        """Forget a plan that is not followed any more."""
        self._plans.pop(epoch, None)

    async def run(self) -> None:
        """Send until cancelled."""
        await self._courier.run()

    def on_tile(self, header: TileHeader, payload: Payload) -> None:
        """Assign a tile that an owner sent."""
        plan, tile = self._plans[header.epoch], (header, payload)
        nodes = self._able_nodes(plan)
        self._send(plan.shares.add_tile(header.info.frame, header.tile, tile, nodes, time.monotonic()))

    def on_result(self, epoch: int, frame: str, tile: int) -> None:
        """Note that a tile is computed."""
        self._plans[epoch].shares.tile_done(frame, tile)

    def on_tile_failed(self, epoch: int, frame: str, tile: int, node: str) -> None:
        """Assign a tile to others, because a node cannot compute it."""
        plan = self._plans[epoch]
        self._send(plan.shares.tile_failed(frame, tile, node, self._able_nodes(plan), time.monotonic()))

    def on_barred(self, node: str) -> None:
        """Assign the tiles of a barred node to others."""
        self._reassign(node)

    def _reassign(self, node: str) -> None:
        for plan in self._plans.values():
            self._send(plan.shares.reassign_node(node, self._able_nodes(plan, without=node), time.monotonic()))

    def drop_frame(self, frame: str) -> None:
        """Remove a frame that is published or dropped."""
        for plan in self._plans.values():
            plan.shares.drop_frame(frame)

    def on_node_lost(self, node: str) -> None:
        """Assign the tiles of a lost node to others, and drop those that wait to be sent to it."""
        address = self._members.last_address(node)
        if address is not None:
            self._courier.drop_address(address)
        self._reassign(node)

    def reassign_expired(self) -> None:
        """Assign late tiles again: called periodically."""
        for plan in self._plans.values():
            self._send(plan.shares.reassign_expired(self._able_nodes(plan), time.monotonic()))

    def _able_nodes(self, plan: _SharedPlan, without: str = "") -> tuple[str, ...]:
        """Return the nodes that get the tiles of a plan, in order; `without` is left out.

        These are the present nodes that the plan was made for; if there are none, all nodes that follow it. Drained
        nodes are left out, unless there are no others. If tiles are assigned `by_speed`, a node is repeated for each of
        its tiles, and left out if it would be late.
        """
        following = [name for name in self._members.ready_nodes(plan.epoch) if name != without]
        able = tuple(name for name in following if self._may_compute(name))
        ready = tuple(name for name in able if not self._members.is_drained(name)) or able
        made_for = tuple(name for name in plan.nodes if name in ready)
        if made_for or not (ready and plan.by_speed):
            return made_for or ready
        return tuple(ready[index] for index in share_out_tiles(plan.tile_count, self._speeds_of(ready)))

    def _on_lost(self, address: Address) -> None:
        for node in self._members.present:
            if self._members.address(node) == address:
                self._reassign(node)

    def _send(self, shares: Sequence[TileShare[CollectedTile]]) -> None:
        for share in shares:
            header, payload = share.tile
            address = self._members.address(share.node)
            assigned = not payload.size  # the owner sent the header only
            names = (share.node,) if assigned and not share.workers else share.workers
            workers = [self._members.online(name) for name in names]
            if address is None or None in workers:
                continue  # a node was just lost: the tile is assigned again when its lease ends
            refs = tuple(WorkerRef(node=node.node, host=node.host, port=node.port) for node in workers if node)
            sent = header.model_copy(update={"attempt": share.attempt, "workers": refs})
            log.debug("%s tile %s shared to %s", header.info.frame, header.tile, share.node)
            self._on_granted(share.node, header.owner)
            if assigned:
                if not self._assign(header.owner, sent):
                    log.warning(
                        "%s tile %s not assigned: no link to %s; it is assigned again later",
                        header.info.frame, header.tile, header.owner,
                    )  # fmt: skip
            elif not self._courier.post(address, (sent, [payload.data]), ExpectedPeer(Role.EDGE, share.node)):
                log.warning(
                    "%s tile %s not sent: too many wait for %s; it is assigned again later",
                    header.info.frame, header.tile, share.node,
                )  # fmt: skip
