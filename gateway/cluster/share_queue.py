"""Sharing tiles out, pure: tiles of frames in, shares for nodes out; what a lost node had is shared out again.

Source: paper, section V (work sharing: the gateway collects all tiles and hands them to the devices in turn).
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
    """`node` is to compute a tile; `workers` are, by tile, those that compute the frame in this attempt."""

    tile: T
    node: str
    attempt: int
    workers: tuple[str, ...]


@dataclass(slots=True)
class _Frame(Generic[T]):
    until: float
    attempt: int = 0
    tiles: dict[int, T] = field(default_factory=dict)
    holders: dict[int, str] = field(default_factory=dict)
    done: set[int] = field(default_factory=set)
    unfit: dict[int, set[str]] = field(default_factory=dict)


class ShareQueue(Generic[T]):
    """Frames whose tiles are shared out, up to `capacity`.

    With one stage each tile goes to the next node in turn as soon as it is here. With several, all tiles of a frame are
    given out `together`, tile by tile in the order of the nodes, as their workers must know each other; when one is
    lost, all of them begin anew. A share that has brought no result within `lease_s` is given out again.
    """

    def __init__(self, tile_count: int, lease_s: float, capacity: int, *, together: bool) -> None:
        self._tile_count = tile_count
        self._lease_s = lease_s
        self._capacity = capacity
        self._together = together
        self._turn = 0
        self._frames: OrderedDict[str, _Frame[T]] = OrderedDict()

    def add_tile(self, frame: str, index: int, tile: T, nodes: Sequence[str], now: float) -> list[TileShare[T]]:
        """A tile of a frame is here."""
        if frame not in self._frames and len(self._frames) >= self._capacity:
            return []
        shared = self._frames.setdefault(frame, _Frame(now + self._lease_s))
        if index in shared.tiles:
            return []
        shared.tiles[index] = tile
        return self._share(shared, nodes, now) if self._ready(shared) else []

    def tile_done(self, frame: str, index: int) -> None:
        """The result of a tile is here."""
        shared = self._frames.get(frame)
        if shared is not None:
            shared.done.add(index)

    def drop_frame(self, frame: str) -> None:
        """The frame is finished or given up."""
        self._frames.pop(frame, None)

    def reassign_node(self, node: str, nodes: Sequence[str], now: float) -> list[TileShare[T]]:
        """What a lost node had goes to others; `nodes` are those that are left."""
        frames = [
            shared
            for shared in self._frames.values()
            if any(holder == node and index not in shared.done for index, holder in shared.holders.items())
        ]
        return self._reassign(frames, {node}, nodes, now)

    def tile_failed(self, frame: str, index: int, node: str, nodes: Sequence[str], now: float) -> list[TileShare[T]]:
        """A node cannot compute a tile of a frame: it goes to others. With several stages all of them begin anew."""
        shared = self._frames.get(frame)
        if shared is None or index in shared.done:
            return []
        shared.unfit.setdefault(index, set()).add(node)
        if not self._together and shared.holders.get(index) != node:
            return []
        if self._together and node not in shared.holders.values():
            return []
        if self._together:
            shared.done.clear()
            shared.holders.clear()
        else:
            del shared.holders[index]
        shared.attempt += 1
        return self._share(shared, nodes, now)

    def reassign_expired(self, nodes: Sequence[str], now: float) -> list[TileShare[T]]:
        """Shares without a result in time, and tiles that nobody could take before, are given out again."""
        late = [
            shared
            for shared in self._frames.values()
            if shared.until <= now and self._ready(shared) and len(shared.done) < self._tile_count
        ]
        unheld = [
            shared
            for shared in self._frames.values()
            if nodes and shared not in late and self._ready(shared) and len(shared.holders) < len(shared.tiles)
        ]
        return [
            *(share for shared in late for share in self._reassign_late(shared, nodes, now)),
            *(share for shared in unheld for share in self._share(shared, nodes, now)),
        ]

    def _reassign_late(self, shared: _Frame[T], nodes: Sequence[str], now: float) -> list[TileShare[T]]:
        """What is late goes to nodes that are not, if there are any: who is late may be frozen."""
        late = {holder for index, holder in shared.holders.items() if index not in shared.done}
        others = [] if self._together else [node for node in nodes if node not in late]
        return self._reassign([shared], late, others or nodes, now)

    def _ready(self, shared: _Frame[T]) -> bool:
        return len(shared.tiles) == self._tile_count or not self._together

    def _reassign(
        self, frames: Iterable[_Frame[T]], holders: set[str], nodes: Sequence[str], now: float
    ) -> list[TileShare[T]]:
        shares = []
        for shared in frames:
            if self._together:
                shared.holders.clear()
            for index, holder in list(shared.holders.items()):
                if holder in holders and index not in shared.done:
                    del shared.holders[index]
            shared.attempt += 1
            shares += self._share(shared, nodes, now)
        return shares

    def _share(self, shared: _Frame[T], nodes: Sequence[str], now: float) -> list[TileShare[T]]:
        """Give the tiles that nobody holds to nodes in turn; nothing when there is no node."""
        free = [index for index in sorted(shared.tiles) if index not in shared.holders]
        given = {index: fit for index in free if (fit := self._fit(shared, index, nodes))}
        if not given:
            return []
        shared.until = now + self._lease_s
        for index, fit in given.items():
            shared.holders[index] = fit[(index if self._together else self._turn) % len(fit)]
            self._turn += 1
        workers = tuple(shared.holders[index] for index in sorted(shared.holders)) if self._together else ()
        return [
            TileShare(shared.tiles[index], shared.holders[index], shared.attempt, workers)
            for index in given
            if self._together or index not in shared.done
        ]

    def _fit(self, shared: _Frame[T], index: int, nodes: Sequence[str]) -> list[str]:
        """Those that have not failed to compute the tile; with several stages, any tile of the frame."""
        failed = set().union(*shared.unfit.values()) if self._together else shared.unfit.get(index, set())
        return [node for node in nodes if node not in failed]
