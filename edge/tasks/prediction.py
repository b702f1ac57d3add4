"""Predicts the duration of a frame with reuse and without, pure: the costs of tiles, simulated on the present devices.

Strips save computation and cost transfers. Which is more depends on the speed of the devices and of the network, so an
owner simulates both before each frame, with recent measurements, and chooses the faster one.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge.tasks.tile_order import TileCosts, TileOrder

MAX_DEVICES = 64
"""More devices than tiles make no difference."""

EXPERIENCE_TILES = 64
"""Recent tiles that measurements are taken from: those of several frames."""

MIN_EXPERIENCE_TILES = 18
"""The share of own tiles is known after this many: two frames of nine tiles."""

MOSTLY_OWN_SHARE = 0.58
"""Above this share the owner computes mostly alone. Of nine tiles evenly shared by two nodes it computes five, 0.56."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """Measurements that a prediction is based on.

    `devices`: those that work for this owner, itself included. `pace_s`: seconds for a multiply-accumulate operation.
    `link_bytes_per_s`: throughput of one link. `result_bytes`: size of all results of a frame.
    """

    devices: float
    pace_s: float
    link_bytes_per_s: float
    result_bytes: int


class Experience:
    """Recent measurements of an owner: its own share of the computed tiles, and the speed of transfers to thieves."""

    def __init__(self, node: str) -> None:
        self._node = node
        self._own: deque[bool] = deque(maxlen=EXPERIENCE_TILES)
        self._rates: deque[float] = deque(maxlen=EXPERIENCE_TILES)

    def add_tile(self, worker: str, fetch_bytes_per_s: float) -> None:
        """Note that `worker` computed a tile, and the speed at which it received the pixels; 0 for the owner itself."""
        self._own.append(worker == self._node)
        if fetch_bytes_per_s:
            self._rates.append(fetch_bytes_per_s)

    def conditions(self, nodes: int, pace_s: float | None, result_bytes: int) -> Conditions | None:
        """Return the conditions for the next frame; None before enough results.

        The fastest transfer shows what the link carries; the others had to share it. Other devices also compute frames
        of their own, so they do not count fully: an owner that computes half of its tiles has the help of one device.
        """
        if pace_s is None or not (self._rates or nodes == 1):
            return None
        share = self._own_share
        devices = min(float(nodes), 1 / share if share else nodes)
        return Conditions(devices, pace_s, max(self._rates, default=math.inf), result_bytes)

    @property
    def link_bytes_per_s(self) -> float | None:
        """Return the throughput of the link to thieves, the fastest recent transfer; None before the first one."""
        return max(self._rates, default=None)

    @property
    def on_its_own(self) -> bool:
        """Return whether this node computes most of its tiles itself, because others are busy with their own."""
        return len(self._own) >= MIN_EXPERIENCE_TILES and self._own_share > MOSTLY_OWN_SHARE

    @property
    def _own_share(self) -> float:
        return sum(self._own) / max(1, len(self._own))


def reuse_pays(tile_order: TileOrder, conditions: Conditions) -> bool:
    """Return whether a frame is expected to be finished no later with reuse than without."""
    return makespan_s(tile_order, conditions, reuse=True) <= makespan_s(tile_order, conditions, reuse=False)


def makespan_s(tile_order: TileOrder, conditions: Conditions, *, reuse: bool) -> float:
    """Return the predicted seconds until the last result of a frame is at the gateway.

    Devices take tiles in order as they become free. Thieves get pixels over the owner's link; results and strips go to
    the gateway over its link, and strips return over it. Half of a dependent tile's strips are assumed to be on the
    device that needs them, because owners prefer takers that have some.
    """
    return _Simulation(tile_order, conditions).run(reuse=reuse)


class _Simulation:
    """One frame on the devices: each has a time when it is free, and each link a time until which it is busy."""

    def __init__(self, tile_order: TileOrder, conditions: Conditions) -> None:
        self._order = tile_order
        self._pace_s = conditions.pace_s
        self._link = conditions.link_bytes_per_s
        count = max(1, min(MAX_DEVICES, round(conditions.devices)))
        self._free = [(0.0, device) for device in range(count)]  # the first one is the owner
        self._result_bytes = conditions.result_bytes / len(tile_order.order)
        self._owner_s = self._into_gateway_s = self._from_gateway_s = 0.0
        self._strips_at_s: dict[int, float] = {}

    def run(self, *, reuse: bool) -> float:
        if not reuse:
            for tile in self._order.order:
                self._compute(self._order.whole[tile])
            return self._into_gateway_s
        for tile in self._order.order:
            if tile not in self._order.givers:
                given = sum(
                    self._order.reusing[reader].strip_bytes / len(self._order.givers[reader])
                    for reader in self._order.readers(tile)
                )
                self._strips_at_s[tile] = self._compute(self._order.whole[tile], given)
        for tile in self._order.order:
            if tile in self._order.givers:
                self._compute_dependent(tile)
        return self._into_gateway_s

    def _compute_dependent(self, tile: int) -> None:
        """Compute a dependent tile from strips when they have arrived, or with its whole halo if that ends sooner."""
        free_s, _ = self._free[0]
        ready_s = max(self._strips_at_s[giver] for giver in self._order.givers[tile])
        whole, reusing = self._order.whole[tile], self._order.reusing[tile]
        if max(free_s, ready_s) + reusing.macs * self._pace_s < free_s + whole.macs * self._pace_s:
            self._compute(reusing, strips=reusing.strip_bytes / 2, not_before_s=ready_s)
        else:
            self._compute(whole)

    def _compute(self, costs: TileCosts, given: float = 0.0, strips: float = 0.0, not_before_s: float = 0.0) -> float:
        """Compute a tile on the next free device; return when all that it sends has arrived at the gateway."""
        free_s, device = heapq.heappop(self._free)
        begin_s = free_s
        alone = not self._free  # a single device has all strips, and sends none to the gateway
        if device:  # a thief: it requested the tile while the one before it ran, so the transfer overlaps
            self._owner_s = max(self._owner_s, not_before_s) + costs.pixel_bytes / self._link
            begin_s = max(begin_s, self._owner_s)
        if strips and not alone:
            self._from_gateway_s = max(self._from_gateway_s, not_before_s) + strips / self._link
            begin_s = max(begin_s, self._from_gateway_s)
        end_s = max(begin_s, not_before_s) + costs.macs * self._pace_s
        heapq.heappush(self._free, (end_s, device))
        sent = self._result_bytes + (0.0 if alone else given)
        self._into_gateway_s = max(self._into_gateway_s, end_s) + sent / self._link
        return self._into_gateway_s
