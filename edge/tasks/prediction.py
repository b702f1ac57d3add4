"""How long a frame will take, with reuse and without, pure: what tiles cost, played through on the devices there are.

Strips spare computation and cost transfers. Which is more depends on the speed of the devices and of the network, so an
owner plays both ways through before each frame, with what it has measured of late, and takes the faster one.
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
"""More devices than tiles change nothing."""

EXPERIENCE_TILES = 64
"""Several frames' worth of experience."""

MIN_EXPERIENCE_TILES = 18
"""Two frames of nine tiles: enough to see whether others help."""

MOSTLY_OWN_SHARE = 0.58
"""Of two nodes that share one's frames of nine tiles evenly, the owner computes five, 0.56."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """What was measured: devices that work for this owner (with itself), how fast they and the network are.

    `pace_s` are seconds for a multiply-accumulate operation, `link_bytes_per_s` what one link carries.
    """

    devices: float
    pace_s: float
    link_bytes_per_s: float
    result_bytes: int


class Experience:
    """What an owner has seen of late: who computed its tiles, and how fast thieves got theirs."""

    def __init__(self, node: str) -> None:
        self._node = node
        self._own: deque[bool] = deque(maxlen=EXPERIENCE_TILES)
        self._rates: deque[float] = deque(maxlen=EXPERIENCE_TILES)

    def add_tile(self, worker: str, fetch_bytes_per_s: float) -> None:
        """A tile was computed by `worker`, which got its pixels this fast; 0 when they were its own."""
        self._own.append(worker == self._node)
        if fetch_bytes_per_s:
            self._rates.append(fetch_bytes_per_s)

    def conditions(self, nodes: int, pace_s: float | None, result_bytes: int) -> Conditions | None:
        """What the next frame will meet; None while too little was seen.

        The best of the transfers is what the link carries; others had to share it. The share of tiles that others left
        to this node says for how many devices' worth they work for it, while they have frames of their own.
        """
        if pace_s is None or not (self._rates or nodes == 1):
            return None
        share = self._own_share
        devices = min(float(nodes), 1 / share if share else nodes)
        return Conditions(devices, pace_s, max(self._rates, default=math.inf), result_bytes)

    @property
    def on_its_own(self) -> bool:
        """Whether this node computes most of its tiles itself, as others are busy with their own."""
        return len(self._own) >= MIN_EXPERIENCE_TILES and self._own_share > MOSTLY_OWN_SHARE

    @property
    def _own_share(self) -> float:
        return sum(self._own) / max(1, len(self._own))


def reuse_pays(tile_order: TileOrder, conditions: Conditions) -> bool:
    """Whether a frame is expected to be finished no later with reuse than without."""
    return makespan_s(tile_order, conditions, reuse=True) <= makespan_s(tile_order, conditions, reuse=False)


def makespan_s(tile_order: TileOrder, conditions: Conditions, *, reuse: bool) -> float:
    """Seconds until the last result of a frame is at the gateway.

    Devices take tiles in order as they become free; those of thieves come over the owner's link; results and strips go
    to the gateway over its link, and strips come back over it. Half of a dependent tile's strips are taken to be
    where they are needed already, as owners prefer takers that have some.
    """
    return _Simulation(tile_order, conditions).run(reuse=reuse)


class _Simulation:
    def __init__(self, tile_order: TileOrder, conditions: Conditions) -> None:
        self._agenda = tile_order
        self._pace_s = conditions.pace_s
        self._link = conditions.link_bytes_per_s
        count = max(1, min(MAX_DEVICES, round(conditions.devices)))
        self._free = [(0.0, device) for device in range(count)]  # the first one is the owner
        self._result_bytes = conditions.result_bytes / len(tile_order.order)
        self._owner_s = self._into_gateway_s = self._from_gateway_s = 0.0
        self._kept_s: dict[int, float] = {}

    def run(self, *, reuse: bool) -> float:
        if not reuse:
            for tile in self._agenda.order:
                self._compute(self._agenda.whole[tile])
            return self._into_gateway_s
        for tile in self._agenda.order:
            if tile not in self._agenda.givers:
                given = sum(
                    self._agenda.reusing[reader].strip_bytes / len(self._agenda.givers[reader])
                    for reader in self._agenda.readers(tile)
                )
                self._kept_s[tile] = self._compute(self._agenda.whole[tile], given)
        for tile in self._agenda.order:
            if tile in self._agenda.givers:
                self._compute_dependent(tile)
        return self._into_gateway_s

    def _compute_dependent(self, tile: int) -> None:
        """A dependent tile: from strips when they are there, or with its whole halo if that is sooner."""
        free_s, _ = self._free[0]
        ready_s = max(self._kept_s[giver] for giver in self._agenda.givers[tile])
        whole, reusing = self._agenda.whole[tile], self._agenda.reusing[tile]
        if max(free_s, ready_s) + reusing.macs * self._pace_s < free_s + whole.macs * self._pace_s:
            self._compute(reusing, strips=reusing.strip_bytes / 2, not_before_s=ready_s)
        else:
            self._compute(whole)

    def _compute(self, costs: TileCosts, given: float = 0.0, strips: float = 0.0, not_before_s: float = 0.0) -> float:
        """The next free device computes a tile; when all it sends has arrived."""
        free_s, device = heapq.heappop(self._free)
        begin_s = free_s
        alone = not self._free
        if device:  # asked for a tile ahead, while the one before it ran
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
