"""Work sharing, pure: tiles of frames in, shares for nodes out; the tiles of a lost node are assigned again.

Source: paper, section V (work sharing: the gateway collects all tiles and distributes them to the devices in turn).
Time is monotonic seconds, given by the caller.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class TileShare(Generic[T]):
    """A tile that is assigned to `node`. `workers`: the nodes that compute the frame in this attempt, by tile.

    `workers` is only filled in plans of several stages, whose workers exchange borders.
    """

    tile: T
    node: str
    attempt: int
    workers: tuple[str, ...]


@dataclass(slots=True)
class _Frame(Generic[T]):
    """A frame whose tiles are assigned.

    `until`: the end of its lease; `holders`: by tile, the node that computes it; `unfit`: by tile, the nodes that
    failed to compute it.
    """

    until: float
    attempt: int = 0
    tiles: dict[int, T] = field(default_factory=dict)
    holders: dict[int, str] = field(default_factory=dict)
    done: set[int] = field(default_factory=set)
    unfit: dict[int, set[str]] = field(default_factory=dict)


class ShareQueue(Generic[T]):
    """Assigns the tiles of up to `capacity` frames to nodes.

    With one stage each tile goes to the next node in turn as soon as it arrives. With several stages all tiles of a
    frame are assigned `together`, tile by tile in the order of the nodes, because their workers exchange borders and
    must know each other; when one worker is lost, all of them start again. A share without a result after `lease_s` is
    assigned again.
    """

    def __init__(self, tile_count: int, lease_s: float, capacity: int, *, together: bool) -> None:
        self._tile_count = tile_count
        self._lease_s = lease_s
        self._capacity = capacity
        self._together = together
        self._turn = 0
        self._frames: OrderedDict[str, _Frame[T]] = OrderedDict()

    def add_tile(self, frame: str, index: int, tile: T, nodes: Sequence[str], now: float) -> list[TileShare[T]]:
        """Add a tile of a frame; return the shares that can be assigned now. Tiles beyond `capacity` are ignored."""
        if frame not in self._frames and len(self._frames) >= self._capacity:
            return []
        entry = self._frames.setdefault(frame, _Frame(now + self._lease_s))
        if index in entry.tiles:
            return []
        entry.tiles[index] = tile
        return self._share(entry, nodes, now) if self._ready(entry) else []

    def tile_done(self, frame: str, index: int) -> None:
        """Note that a tile is computed."""
        entry = self._frames.get(frame)
        if entry is not None:
            entry.done.add(index)

    def drop_frame(self, frame: str) -> None:
        """Remove a frame that is published or dropped."""
        self._frames.pop(frame, None)

    def reassign_node(self, node: str, nodes: Sequence[str], now: float) -> list[TileShare[T]]:
        """Assign the tiles of a lost node to others; `nodes` are the remaining ones."""
        frames = [
            entry
            for entry in self._frames.values()
            if any(holder == node and index not in entry.done for index, holder in entry.holders.items())
        ]
        return self._reassign(frames, {node}, nodes, now)

    def tile_failed(self, frame: str, index: int, node: str, nodes: Sequence[str], now: float) -> list[TileShare[T]]:
        """Assign a tile that a node cannot compute to others; with several stages, all tiles of the frame."""
        entry = self._frames.get(frame)
        if entry is None or index in entry.done:
            return []
        entry.unfit.setdefault(index, set()).add(node)
        if not self._together and entry.holders.get(index) != node:
            return []
        if self._together and node not in entry.holders.values():
            return []  # the failure is one of an earlier attempt, which has been replaced already
        if self._together:
            entry.done.clear()
            entry.holders.clear()
        else:
            del entry.holders[index]
        entry.attempt += 1
        return self._share(entry, nodes, now)

    def reassign_expired(self, nodes: Sequence[str], now: float) -> list[TileShare[T]]:
        """Assign again the shares whose lease has ended, and the tiles for which there was no node before."""
        late = [
            entry
            for entry in self._frames.values()
            if entry.until <= now and self._ready(entry) and len(entry.done) < self._tile_count
        ]
        unheld = [
            entry
            for entry in self._frames.values()
            if nodes and entry not in late and self._ready(entry) and len(entry.holders) < len(entry.tiles)
        ]
        return [
            *(share for entry in late for share in self._reassign_late(entry, nodes, now)),
            *(share for entry in unheld for share in self._share(entry, nodes, now)),
        ]

    def _reassign_late(self, entry: _Frame[T], nodes: Sequence[str], now: float) -> list[TileShare[T]]:
        """Assign late tiles to nodes that are not late, if there are any: a late node may be frozen."""
        late = {holder for index, holder in entry.holders.items() if index not in entry.done}
        others = [] if self._together else [node for node in nodes if node not in late]
        return self._reassign([entry], late, others or nodes, now)

    def _ready(self, entry: _Frame[T]) -> bool:
        """Return whether tiles of a frame can be assigned: with several stages only all at once."""
        return len(entry.tiles) == self._tile_count or not self._together

    def _reassign(
        self, frames: Iterable[_Frame[T]], holders: set[str], nodes: Sequence[str], now: float
    ) -> list[TileShare[T]]:
        shares = []
        for entry in frames:
            if self._together:
                entry.holders.clear()
            for index, holder in list(entry.holders.items()):
                if holder in holders and index not in entry.done:
                    del entry.holders[index]
            entry.attempt += 1
            shares += self._share(entry, nodes, now)
        return shares

    def _share(self, entry: _Frame[T], nodes: Sequence[str], now: float) -> list[TileShare[T]]:
        """Assign the tiles without a holder to nodes in turn; return no shares when there is no node."""
        unassigned = [index for index in sorted(entry.tiles) if index not in entry.holders]
        fitting = {index: fit for index in unassigned if (fit := self._fit(entry, index, nodes))}
        if not fitting:
            return []
        entry.until = now + self._lease_s
        # Tiles that are assigned together go to the nodes in their order: a plan may be made for these devices.
        for index, fit in fitting.items():
            entry.holders[index] = fit[(index if self._together else self._turn) % len(fit)]
            self._turn += 1
        workers = tuple(entry.holders[index] for index in sorted(entry.holders)) if self._together else ()
        return [
            TileShare(entry.tiles[index], entry.holders[index], entry.attempt, workers)
            for index in fitting
            if self._together or index not in entry.done
        ]

    def _fit(self, entry: _Frame[T], index: int, nodes: Sequence[str]) -> list[str]:
        """Return the nodes that have not failed to compute the tile; with several stages, any tile of the frame."""
        failed = set().union(*entry.unfit.values()) if self._together else entry.unfit.get(index, set())
        return [node for node in nodes if node not in failed]
