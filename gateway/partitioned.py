"""A model cut and partitioned: the stage and its program for the edges, the tail for the gateway."""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gateway.catalogue import Model, choose_cut
from shared.engine.building import build_program
from shared.engine.opening import TileKinds, open_engine
from shared.engine.sessions import Network as NetworkSession
from shared.engine.sessions import PaddingEngine, TileEngine, normalise
from shared.errors import CutError
from shared.ftp.costs import working_bytes
from shared.ftp.cuts import deepest_cut
from shared.ftp.merge import Map, MergedMaps
from shared.ftp.operators import refuse_untileable
from shared.ftp.tiles import Stage, partition
from shared.model.cutting import head_model, tail_model, with_outputs

if TYPE_CHECKING:
    from shared.ftp.grid import Grid
    from shared.letterbox import Pixels
    from shared.model.spec import CompleteSpec


TOLERANCE = 1e-4
"""Largest difference allowed, in standard deviations of the maps: kernels may sum in another order."""

ROUNDING = 2.0**-20
"""The same in largest values of the maps, eight steps of float32: for maps that hardly differ from cell to cell."""

SMALLEST = 2.0**-22
"""No difference at all: float32 cannot tell less in numbers of order 1, which an almost empty map is computed from."""


@dataclass(frozen=True)
class PartitionedModel:
    """One model, one cut, one grid."""

    model: Model
    stage: Stage

    @classmethod
    def of(cls, model: Model, grid: Grid, cut: str | None = None) -> PartitionedModel:
        """Raises CutError, with the deepest cut that can be, and ConfigurationError, see shared.ftp.tiles.partition."""
        chosen = choose_cut(model, cut, grid)
        for layer in model.network.head(chosen):
            try:
                refuse_untileable(layer, model.network.shapes)
            except CutError as error:
                deepest = ",".join(deepest_cut(model.network))
                raise CutError(f"{error}; the deepest cut that can be is {deepest}") from error
        return cls(model, partition(model.network, chosen, grid, balanced=True))

    @property
    def spec(self) -> CompleteSpec:
        return self.model.spec

    @property
    def map_shapes(self) -> list[tuple[int, ...]]:
        """Shapes (1, C, H, W) of the maps at the cut."""
        return [self.model.network.shapes[tensor] for tensor in self.stage.cut]

    @cached_property
    def program(self) -> bytes:
        """The stage's program, as edges run it."""
        head = head_model(self.model.proto, self.model.network, self.stage.cut)
        return build_program(head, self.stage, self.spec.preprocessing)

    @property
    def kinds(self) -> TileKinds:
        """The kinds of tile that an engine for the stage must run."""
        tiles = ((tile.pads, (tile.input.height, tile.input.width)) for tile in self.stage.tiles)
        return TileKinds.of(tiles, working_bytes(self.model.network, self.stage))

    @cached_property
    def program_sha256(self) -> str:
        return hashlib.sha256(self.program).hexdigest()

    def tail(self, threads: int) -> NetworkSession | None:
        """The remaining layers; None when the cut is behind the last one."""
        if set(self.stage.cut) == set(self.model.network.outputs):
            return None
        tail = tail_model(self.model.proto, self.model.network, self.stage.cut)
        return NetworkSession(tail.SerializeToString(), threads)


class TiledHead:
    """Runs the head tile by tile in this process, with an engine of its own unless it is given one."""

    def __init__(self, partitioned: PartitionedModel, threads: int, engine: TileEngine | None = None) -> None:
        self._stage = partitioned.stage
        self._shapes = partitioned.map_shapes
        self._engine = engine or PaddingEngine(partitioned.program, threads)

    def run(self, pixels: Pixels) -> list[Map]:
        """From letterboxed pixels, uint8 (H, W, 3), to the maps at the cut, float32 (1, C, H, W)."""
        merged = MergedMaps(self._shapes, self._stage.tiles)
        for tile in self._stage.tiles:
            merged.place(tile.index, self._engine.run(pixels[tile.input.slices], tile.pads))
        return merged.maps


class WholeHead:
    """Runs the head as one big machine does: the reference that tiles are compared with.

    Nothing of the partitioning is in it: the layers of the user's own file, in its own form.
    """

    def __init__(self, partitioned: PartitionedModel, threads: int) -> None:
        model = partitioned.model
        self._input = model.network.input
        self._cut = partitioned.stage.cut
        self._preprocessing = partitioned.spec.preprocessing
        made = {name for node in model.original.graph.node for name in node.output}
        source = model.original if made.issuperset(self._cut) else model.proto
        self._session = NetworkSession(with_outputs(source, self._cut).SerializeToString(), threads)

    def run(self, pixels: Pixels) -> list[Map]:
        """From letterboxed pixels, uint8 (H, W, 3), to the maps at the cut, float32 (1, C, H, W)."""
        outputs = self._session.run({self._input: normalise(pixels, self._preprocessing)})
        return [outputs[tensor] for tensor in self._cut]


@dataclass(frozen=True, slots=True)
class Difference:
    """How far tiled maps are from whole ones, in units of the maps."""

    max_abs_diff: float
    map_std: float
    map_max: float

    @property
    def exact(self) -> bool:
        """Whether it is no more than another order of summation makes."""
        return self.max_abs_diff <= max(TOLERANCE * self.map_std, ROUNDING * self.map_max, SMALLEST)


def compare(tiled: list[Map], whole: list[Map]) -> Difference:
    """The largest absolute difference over all maps, and the whole maps' standard deviation and largest value."""
    values = np.concatenate([array.ravel() for array in whole])
    return Difference(
        max(float(np.abs(a - b).max()) for a, b in zip(tiled, whole, strict=True)),
        float(values.std()),
        float(np.abs(values).max()),
    )


def verify(partitioned: PartitionedModel, pixels: Pixels, threads: int) -> tuple[Difference, str]:
    """Compare the tiles of letterboxed pixels, uint8 (H, W, 3), with the whole; and which engine computed them.

    Tiles are computed as an edge does it, with what it would prepare.
    """
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "program.onnx"
        program.write_bytes(partitioned.program)
        engine = open_engine(program, partitioned.kinds, Path(folder), threads)
        tiled = TiledHead(partitioned, threads, engine).run(pixels)
    return compare(tiled, WholeHead(partitioned, threads).run(pixels)), engine.name
