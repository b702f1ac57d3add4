"""A model that is cut and partitioned: stages and programs for the edges, the tail for the gateway."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, cast

import numpy as np

from gateway.models.catalogue import Model, choose_cut, why_whole_only
from gateway.planning.methods import Method, stages_of
from gateway.planning.plan_prediction import costs_of_stages
from shared.detection.decoding.recognition import output_shapes
from shared.detection.detector import Detector
from shared.engine.lanes import TileLanes
from shared.engine.opening import TileKinds, open_engine
from shared.engine.sessions import NetworkSession, PaddingEngine, TileEngine
from shared.errors import CutError, ModelError
from shared.files.unfinished import temporary_folder
from shared.ftp.costs import working_bytes
from shared.ftp.cuts import deepest_cut, tileable_layers
from shared.ftp.merge import MergedMaps
from shared.ftp.operators import check_tileable
from shared.ftp.tiles import whole_stage
from shared.model.normalising import PixelTable
from shared.plan.plan import DetectorPlan
from shared.process.signals import run_coroutine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.planning.plan_prediction import DivisionCosts
    from shared.engine.program_parts import BuiltProgram
    from shared.ftp.grid import Grid
    from shared.ftp.region import Region
    from shared.ftp.stage import Stage, Tile
    from shared.model.arrays import Array, FeatureMap, Pixels
    from shared.model.spec import CompleteSpec

_TOLERANCE = 1e-4
"""Allowed difference in standard deviations of the maps: kernels may sum in another order."""

_ROUNDING = 2.0**-20
"""Allowed difference relative to the largest value, eight steps of float32: for maps with almost equal cells."""

_SMALLEST = 2.0**-22
"""Smaller differences are ignored: an almost empty map is computed from numbers of order 1, in float32."""


@dataclass(frozen=True)
class PartitionedModel:
    """A model with its cut, grid and method; each stage passes its maps to the next one."""

    model: Model
    stages: tuple[Stage, ...]
    method: Method = Method.WST

    @classmethod
    def of(
        cls,
        model: Model,
        grid: Grid,
        cut: str | None = None,
        method: Method = Method.WST,
        shares: Sequence[float] = (),
    ) -> PartitionedModel:
        """Partition a model. A network that cannot be tiled up to its outputs is whole at 1x1.

        Raises CutError, which names the deepest possible cut, and ConfigurationError, see `stages_of`.
        """
        if grid.count == 1 and cut is not None and _runs_to_its_end_only_whole(model, cut):
            return cls.whole(model)
        chosen = choose_cut(model, cut, grid)
        for layer in model.network.head_layers(chosen):
            try:
                check_tileable(layer, model.network.shapes)
            except CutError as error:
                deepest = ",".join(deepest_cut(model.network))
                raise CutError(f"{error}; the deepest possible cut is {deepest}") from error
        return cls(model, stages_of(method, model.network, chosen, grid, shares), method)

    @classmethod
    def whole(cls, model: Model) -> PartitionedModel:
        """Return the whole network as one tile, up to its outputs; no layer is an obstacle."""
        return cls(model, (whole_stage(model.network),), Method.WHOLE)

    @property
    def spec(self) -> CompleteSpec:
        """Return the model's description."""
        return self.model.spec

    @property
    def stage(self) -> Stage:
        """Return the last stage, whose tiles make the maps at the cut."""
        return self.stages[-1]

    @property
    def cut(self) -> tuple[str, ...]:
        """Return the names of the maps at the cut, the inputs of the tail."""
        return self.stage.cut

    @cached_property
    def costs(self) -> DivisionCosts:
        """Return the costs of tiles, strips and the layers behind the cut."""
        return costs_of_stages(self.model.network, self.stages)

    @property
    def detector_plan(self) -> DetectorPlan | None:
        """Return what workers of whole frames need to find objects; None when the gateway has the detector.

        Raises ModelError when no decoder reads the outputs.
        """
        if not self.stage.whole:
            return None
        if self.model.unreadable:
            raise ModelError(self.model.unreadable)
        shapes = self.model.outputs or output_shapes(self.model.network)
        return DetectorPlan(description=self.spec, outputs={name: shapes[name] for name in self.cut})

    @property
    def map_shapes(self) -> list[tuple[int, ...]]:
        """Return the shapes (1, C, H, W) of the maps at the cut; a whole network has none to merge."""
        if self.stage.whole:
            return []
        return [self.model.network.shapes[tensor] for tensor in self.cut]

    def build_programs(self) -> tuple[BuiltProgram, ...]:
        """Return the programs of the stages, as edges run them."""
        return self.model.graphs.programs(self.stages, self.spec.preprocessing)

    @property
    def kinds(self) -> tuple[TileKinds, ...]:
        """Return the kinds of tile that the engine of each stage must run."""
        network = self.model.network
        return tuple(TileKinds.from_tiles(stage.all_tiles, working_bytes(network, stage)) for stage in self.stages)

    def tail(self, threads: int) -> NetworkSession | None:
        """Return a session of the layers behind the cut; None when there are none."""
        if set(self.cut) == set(self.model.network.outputs):
            return None
        return NetworkSession(self.model.graphs.tail(self.cut), threads)

    def detector(self, threads: int) -> Detector:
        """Return the detector for the maps at the cut. Raises ModelError when no decoder reads the outputs."""
        model = self.model
        if model.unreadable:
            raise ModelError(model.unreadable)
        outputs = model.outputs or output_shapes(model.network)
        return Detector(model.spec, model.network.input_size, outputs, self.cut, self.tail(threads))


def partitions_of(model: Model, method: Method, grid: Grid, cut: str | None) -> list[PartitionedModel]:
    """Return the partitions that a gateway offers to its edges, the usual one first.

    With `auto` these are the whole network and, if it can be tiled, tiles. Raises CutError, ConfigurationError.
    """
    if method is Method.WHOLE and cut is None:
        return [PartitionedModel.whole(model)]
    if method is not Method.AUTO:
        return [PartitionedModel.of(model, grid, cut, method)]
    whole = PartitionedModel.whole(model)
    if cut is None and why_whole_only(model):
        return [whole]
    return [whole, PartitionedModel.of(model, grid, cut, Method.WST)]


def _runs_to_its_end_only_whole(model: Model, cut: str) -> bool:
    """Return whether a cut names all outputs, and layers before them cannot be tiled."""
    network = model.network
    is_end = {part.strip() for part in cut.split(",")} == set(network.outputs)
    return is_end and bool(model.untileable or len(tileable_layers(network)) < len(network.layers))


class TiledHead:
    """Runs the head tile by tile in this process, with the given engines, one for each stage, or with its own."""

    def __init__(self, partitioned: PartitionedModel, threads: int, engines: Sequence[TileEngine] = ()) -> None:
        self._stages = partitioned.stages
        self._shapes = partitioned.model.network.shapes
        self._engines = engines or [PaddingEngine(program.join(), threads) for program in partitioned.build_programs()]

    def run(self, pixels: Pixels) -> list[FeatureMap]:
        """Return the maps at the cut, float32 (1, C, H, W), of letterboxed pixels, uint8 (H, W, 3).

        For a whole network they are its outputs, of any type and shape.
        """
        maps: list[Array] = [pixels]
        for stage, engine in zip(self._stages, self._engines, strict=True):
            if stage.whole:
                return engine.run(stage.tiles[0].form, [pixels])[0]
            merged = MergedMaps([self._shapes[tensor] for tensor in stage.cut], stage.tiles)
            strips: dict[tuple[int, int, int], Array] = {}
            for tile in _in_order(stage, reuses=engine.reuses):
                parts = [_part(array, region) for array, region in zip(maps, tile.inputs, strict=True)]
                taken = [strips[tile.index, strip.joint, strip.side] for strip in tile.taken]
                results, given = engine.run(tile.form, parts, taken)
                strips.update({(s.tile, s.joint, s.side): array for s, array in zip(tile.given, given, strict=False)})
                merged.place(tile.index, results)
            maps = list(merged.maps)
        return cast("list[FeatureMap]", maps)


def _in_order(stage: Stage, *, reuses: bool) -> list[Tile]:
    """Return the tiles that take no strips first: they make the strips that the others take."""
    reusing = dict(enumerate(stage.reusing)) if reuses else {}
    tiles = [reusing.get(tile.index) or tile for tile in stage.tiles]
    return sorted(tiles, key=lambda tile: bool(tile.taken))


def _part(array: Array, region: Region) -> Array:
    """Return a region of pixels (H, W, 3), or of a map (1, C, H, W)."""
    rows, columns = region.slices
    return array[rows, columns] if array.ndim == 3 else array[:, :, rows, columns]


class WholeHead:
    """Runs the head on the whole frame, as the reference for tiles.

    It uses the layers of the user's own file, so that no step of the partitioning can affect it. A model in half
    precision is computed in single precision, as its tiles are.
    """

    def __init__(self, partitioned: PartitionedModel, threads: int) -> None:
        self._cut = partitioned.cut
        self._table = PixelTable(partitioned.spec.preprocessing)
        head, self._form = partitioned.model.graphs.whole_head(self._cut)
        self._session = NetworkSession(head, threads)

    def run(self, pixels: Pixels) -> list[FeatureMap]:
        """Return the maps at the cut, float32 (1, C, H, W), of letterboxed pixels, uint8 (H, W, 3)."""
        feeds = self._form.make_feeds(self._table.apply(pixels))
        outputs = self._session.run({name: feeds[name] for name in self._session.inputs})
        batch = self._form.batch
        return [outputs[tensor] if batch == 1 else outputs[tensor][:1] for tensor in self._cut]


@dataclass(frozen=True, slots=True)
class Difference:
    """The difference between tiled maps and whole ones, in units of the maps."""

    max_abs_diff: float
    map_std: float
    map_max: float

    @property
    def exact(self) -> bool:
        """Return whether another order of summation explains the difference."""
        return self.max_abs_diff <= max(_TOLERANCE * self.map_std, _ROUNDING * self.map_max, _SMALLEST)


def compare_maps(tiled: list[FeatureMap], whole: list[FeatureMap]) -> Difference:
    """Return the largest absolute difference, and the standard deviation and largest value of the whole maps.

    Outputs of a whole network may have a size that depends on the picture: different sizes differ infinitely.
    """
    values = np.concatenate([array[np.isfinite(array)] for array in whole])
    return Difference(
        max(_largest_difference(a, b) for a, b in zip(tiled, whole, strict=True)),
        float(values.std()) if values.size else 0.0,
        float(np.abs(values).max(initial=0.0)),
    )


def _largest_difference(made: Array, expected: Array) -> float:
    if made.shape != expected.shape:
        return float("inf")
    different = made != expected  # equal infinities have no difference
    return float(np.abs(np.subtract(made[different], expected[different], dtype=np.float64)).max(initial=0.0))


def verify_tiles(partitioned: PartitionedModel, pixels: Pixels, threads: int) -> tuple[Difference, str]:
    """Compare tiles with the whole network, for letterboxed pixels, uint8 (H, W, 3).

    Return the difference, and the name of the engine that computed the tiles, prepared as on an edge.
    """
    with temporary_folder("verify") as folder:
        engines = []
        for number, (program, kinds) in enumerate(zip(partitioned.build_programs(), partitioned.kinds, strict=True)):
            path = folder / f"program_{number}.onnx"
            path.write_bytes(program.join())
            engines.append(run_coroutine(partial(open_engine, path, kinds, folder, lanes=TileLanes(1, threads))))
        tiled = TiledHead(partitioned, threads, engines).run(pixels)
    names = " and ".join(sorted({engine.name for engine in engines}))
    return compare_maps(tiled, WholeHead(partitioned, threads).run(pixels)), names
