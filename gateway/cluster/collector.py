"""Assembles frames from the results of tiles, pure: results and strips in, complete and dropped frames out.

Time is monotonic seconds, given by the caller.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING, cast

import numpy as np

from gateway.cluster.whole_frame import WholeFrame, read_objects
from shared.errors import ProtocolError
from shared.finite import all_finite
from shared.ftp.merge import MergedMaps, result_shapes
from shared.ftp.strip_cache import StripCache, split_strips
from shared.payloads.cluster import TileCounts
from shared.payloads.frames import FrameInfo, Outcome
from shared.wire.map_values import decode_values, value_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from shared.ftp.stage import Stage
    from shared.model.arrays import Array, FeatureMap, Shape
    from shared.wire.connection import Payload
    from shared.wire.headers import ResultHeader

MAX_REMEMBERED_FRAMES = 1024
"""Finished frames that are remembered, to recognise late results; results are late by far fewer frames."""

MAX_KEPT_MAPS = 4
"""Unused maps that are kept for the next frames: enough for a steady load, and little memory after a peak."""


class Receipt(Enum):
    """The effect of a result on its frame."""

    PLACED = auto()
    """It was merged; other tiles are still missing."""
    COMPLETED = auto()
    """It was merged, and was the last one."""
    DUPLICATE = auto()
    """Its tile had a result already."""
    LATE = auto()
    """Its frame was finished already."""
    FULL = auto()
    """Its frame could not be opened, because too many are open."""
    NOT_FINITE = auto()
    """It contains values that are NaN or infinite, and was not merged."""


@dataclass(slots=True)
class Assembly:
    """A frame whose results arrive.

    `workers` are the nodes that computed the tiles, by tile; `unfit` are the nodes that failed to compute a tile, by
    tile. `tiles` are, by node, the numbers of its own and of its stolen tiles. `last` is the header of the result that
    completed the frame. Until `released_at` the complete frame waited for earlier ones of its camera. Times are in
    monotonic seconds.
    """

    info: FrameInfo
    owner: str
    merged: MergedMaps | WholeFrame
    grid: str
    opened_at: float
    completed_at: float = 0.0
    released_at: float = 0.0
    duplicates: int = 0
    last: ResultHeader | None = None
    tiles: dict[str, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0]))
    workers: dict[int, str] = field(default_factory=dict)
    unfit: dict[int, set[str]] = field(default_factory=lambda: defaultdict(set))

    @property
    def received_at(self) -> float:
        """Return when the frame counts as received, so that the frames of a camera are in order.

        It is the time of the frame's first message, or `released_at` if it waited for earlier frames.
        """
        return self.released_at if self.released_at > self.completed_at else self.opened_at

    def duration_s(self, now: float) -> float:
        """Return how long the frame has taken so far, from its first task; for a whole frame, as its result reports."""
        if self.last is not None and isinstance(self.merged, WholeFrame):  # `opened_at` is when its result arrived
            return (self.last.waited_ms + self.last.compute_ms) / 1e3
        return now - self.opened_at

    def tile_counts(self) -> dict[str, TileCounts]:
        """Return the numbers of computed tiles, by node."""
        return {node: TileCounts(own=own, stolen=stolen) for node, (own, stolen) in sorted(self.tiles.items())}


class Collector:
    """Assembles up to `capacity` frames of one plan at the same time. Maps of finished frames are reused.

    It also keeps strips for the workers of neighbouring tiles. With `whole`, the plan is one of whole frames: a result
    is the table of the objects in a frame, and there are no maps.
    """

    def __init__(
        self, stage: Stage, shapes: Sequence[tuple[int, ...]], capacity: int, deadline_s: float, *, whole: bool = False
    ) -> None:
        self._whole = whole
        self._capacity = capacity
        self._free: list[MergedMaps | WholeFrame] = []
        self._stage = stage
        self._shapes = shapes
        self._deadline_s = deadline_s
        self._open: OrderedDict[str, Assembly] = OrderedDict()
        self._finished: OrderedDict[str, None] = OrderedDict()
        self._strips: StripCache[tuple[int, int]] = StripCache()

    def open_frame(self, info: FrameInfo, owner: str, now: float) -> Assembly | None:
        """Return the frame's assembly, a new one if needed; None when the frame is finished or too many are open."""
        if info.frame in self._finished:
            return None
        assembly = self._open.get(info.frame)
        if assembly is None and self._incomplete < self._capacity:
            merged = self._free.pop() if self._free else self._new_frame()
            merged.reset()
            assembly = self._open[info.frame] = Assembly(info, owner, merged, str(self._stage.grid), now)
        return assembly

    @property
    def _incomplete(self) -> int:
        """Return the number of open frames; whole frames with a result do not count, because they need no maps."""
        return sum(not (self._whole and assembly.merged.complete) for assembly in self._open.values())

    def _new_frame(self) -> MergedMaps | WholeFrame:
        return WholeFrame() if self._whole else MergedMaps(self._shapes, self._stage.tiles)

    def result_shapes(self, tile: int) -> list[tuple[int, ...]] | None:
        """Return the shapes (1, C, h, w) that a result of this tile must have; None when the plan has no such tile."""
        return result_shapes(self._shapes, self._stage.tiles[tile]) if tile < len(self._stage.tiles) else None

    def is_finished(self, frame: str) -> bool:
        """Return whether the frame was published or dropped recently."""
        return frame in self._finished

    def add_result(self, result: ResultHeader, payload: Payload, now: float) -> Receipt:
        """Merge the result of a tile as received, and keep its strips.

        Raises ProtocolError when it does not fit the plan.
        """
        if self._whole:
            found = read_objects(result, payload)
            if found is None:
                return Receipt.NOT_FINITE
            receipt = self.merge_result(result.info, result.owner, result.worker, result.tile, [found.table], now)
            self._note_last(receipt, result)
            return receipt
        arrays, strips = split_result(result, payload, self.result_shapes(result.tile))
        if not all_finite(arrays):
            return Receipt.NOT_FINITE
        receipt = self.merge_result(result.info, result.owner, result.worker, result.tile, arrays, now)
        self._note_last(receipt, result)
        if receipt is not Receipt.FULL and not self.is_finished(result.info.frame):
            # Copied: a view would keep the whole payload in memory, which is mostly maps. Strips of duplicates are
            # kept, too: they are the same, and the first result may have come without them.
            for reader, strip in strips.items():
                self._strips.put(result.info.frame, (result.tile, reader), [strip.copy()])
        return receipt

    def _note_last(self, receipt: Receipt, result: ResultHeader) -> None:
        """Keep the header of the result that completed its frame."""
        if receipt is Receipt.COMPLETED:
            self._open[result.info.frame].last = result

    def kept_readers(self, frame: str, giver: int) -> tuple[int, ...]:
        """Return the tiles (readers) for which strips of the tile `giver` are kept."""
        return tuple(reader for tile, reader in self._strips.keys(frame) if tile == giver)

    def kept_strips(self, frame: str, givers: Iterable[int], reader: int) -> dict[int, list[Array]]:
        """Return the kept strips for the tile `reader`, by giver."""
        kept = {giver: self._strips.get(frame, (giver, reader)) for giver in givers}
        return {giver: arrays for giver, arrays in kept.items() if arrays is not None}

    def merge_result(
        self, info: FrameInfo, owner: str, worker: str, tile: int, arrays: Sequence[FeatureMap], now: float
    ) -> Receipt:
        """Merge a result, if it is the first of its tile. Raises ValueError when its shapes do not fit the plan."""
        late = info.frame in self._finished  # a finished frame is not opened again: its maps would never be freed
        assembly = self.open_frame(info, owner, now)
        if assembly is None:
            return Receipt.LATE if late else Receipt.FULL
        if not assembly.merged.place(tile, arrays):
            assembly.duplicates += 1
            return Receipt.DUPLICATE
        assembly.tiles[worker][0 if worker == owner else 1] += 1
        assembly.workers[tile] = worker
        if not assembly.merged.complete:
            return Receipt.PLACED
        assembly.completed_at = now
        return Receipt.COMPLETED

    def on_tile_failed(self, info: FrameInfo, owner: str, worker: str, tile: int, now: float) -> bool:
        """Note that a worker could not compute a tile; return False when the tile is not needed any more."""
        assembly = self.open_frame(info, owner, now)
        if assembly is None or tile not in assembly.merged.missing:
            return False
        assembly.unfit[tile].add(worker)
        return True

    def find_assembly(self, frame: str) -> Assembly | None:
        """Return the assembly of an open frame; None for others."""
        return self._open.get(frame)

    def owner_of(self, frame: str) -> str | None:
        """Return the owner of an open frame; None for others."""
        assembly = self._open.get(frame)
        return None if assembly is None else assembly.owner

    def get_assembly(self, frame: str) -> Assembly:
        """Return the assembly of an open frame. Raises KeyError."""
        return self._open[frame]

    def close_frame(self, frame: str) -> None:
        """Remove a frame that is published or dropped; late results do not open it again. Its maps are reused."""
        self._strips.drop_frame(frame)
        assembly = self._open.pop(frame, None)
        if assembly is not None and len(self._free) < MAX_KEPT_MAPS:
            self._free.append(assembly.merged)
        self._finished[frame] = None
        while len(self._finished) > MAX_REMEMBERED_FRAMES:
            self._finished.popitem(last=False)

    def assemblies(self) -> list[Assembly]:
        """Return all open frames, oldest first."""
        return list(self._open.values())

    def overdue(self, now: float) -> list[tuple[Assembly, Outcome]]:
        """Return the incomplete frames whose deadline has passed; the caller closes them."""
        return [
            (assembly, Outcome.DEADLINE)
            for assembly in self._open.values()
            if not assembly.merged.complete and assembly.opened_at + self._deadline_s <= now
        ]

    def orphaned(self, owner: str) -> list[tuple[Assembly, Outcome]]:
        """Return the incomplete frames of a lost owner; the caller closes them."""
        return [
            (assembly, Outcome.OWNER_LOST)
            for assembly in self._open.values()
            if not assembly.merged.complete and assembly.owner == owner
        ]

    def hopeless(self, able: frozenset[str], *, together: bool) -> list[tuple[Assembly, Outcome]]:
        """Return the incomplete frames with a tile that none of the `able` nodes can compute; the caller closes them.

        `together`: a node that failed one tile of a frame gets no other tile of it either.
        """
        return [
            (assembly, Outcome.FAILED)
            for assembly in self._open.values()
            if any(
                able <= (set().union(*assembly.unfit.values()) if together else assembly.unfit.get(tile, set()))
                for tile in assembly.merged.missing
            )
        ]


def split_result(
    result: ResultHeader, payload: Payload, expected: Sequence[Shape] | None
) -> tuple[list[FeatureMap], dict[int, Payload]]:
    """Return the maps in a result's payload, float32 (1, C, h, w) each, and its strips by reader.

    `expected` are the shapes of this tile in the plan, None when the plan has no such tile.
    Raises ProtocolError when the result does not fit the plan.
    """
    if expected is None or list(result.shapes) != list(expected):
        raise ProtocolError(
            f"{result.worker} sent tile {result.tile} with shapes {list(result.shapes)}; the plan has {expected}"
        )
    sizes = [int(np.prod(shape)) for shape in expected]
    maps_end = value_bytes(result.maps) * sum(sizes)
    if payload.size != maps_end + sum(result.strips.values()):
        raise ProtocolError(
            f"{result.worker} sent tile {result.tile} with {payload.size} bytes instead of {maps_end} and its strips"
        )
    values = decode_values(payload[:maps_end], result.maps)
    starts = np.cumsum([0, *sizes])
    maps = [
        cast("FeatureMap", values[start : start + size].reshape(shape))
        for start, size, shape in zip(starts, sizes, expected, strict=False)
    ]
    return maps, split_strips(payload[maps_end:], result.strips)
