"""A plan as an edge executes it: the tiles of its stages, and the engines that run them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from edge.tasks.tile_order import TileOrder
from shared.detection.detector import Detector
from shared.engine.lanes import ONE_LANE, TileLanes
from shared.engine.opening import TileKinds
from shared.errors import ModelError
from shared.ftp.region import Region
from shared.model.letterbox import Letterbox
from shared.wire.headers import TileHeader
from shared.wire.map_values import value_bytes
from shared.wire.pixel_code import decode_png

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.detection.detections import Detections
    from shared.engine.sessions import TileEngine
    from shared.ftp.stage import Form, Tile
    from shared.model.arrays import Array, FeatureMap, Pixels
    from shared.network.addresses import Address
    from shared.payloads.frames import FrameInfo
    from shared.plan.plan import Plan, StagePlan


class NoEngine:
    """Replaces the engine on a device that computes wrongly: every tile fails."""

    name = "none"
    reuses = False
    lanes = ONE_LANE

    def run(
        self,
        form: Form,  # noqa: ARG002  (the protocol's)
        parts: Sequence[Array],  # noqa: ARG002
        strips: Sequence[Array] = (),  # noqa: ARG002
    ) -> tuple[list[FeatureMap], list[Array]]:
        """Raise ModelError."""
        raise ModelError("this device computes wrongly; its memory or processor may be faulty")


@dataclass(frozen=True)
class PlanWork:
    """A plan that is ready to run, with an engine for each stage.

    `macs_per_s`: the measured speed of this device, in multiply-accumulate operations; 0: not known.
    """

    plan: Plan
    engines: Sequence[TileEngine]
    gateway: Address
    macs_per_s: float = 0.0

    def validate(self) -> None:
        """Compute all cached properties, so that an invalid plan is found before it is followed.

        Raises any exception for an invalid plan.
        """
        _ = self.stages, self._reusing, self.tile_order, self.result_bytes
        if self.finds_objects:
            _ = self._detector

    @property
    def epoch(self) -> int:
        return self.plan.epoch

    @property
    def finds_objects(self) -> bool:
        """Return whether a task is a whole frame, whose result are the objects in it."""
        return self.plan.detector is not None

    def find_objects(self, info: FrameInfo, pixels: Pixels) -> Detections:
        """Return the objects in a frame, for the letterboxed pixels, uint8 (H, W, 3). Raises ModelError."""
        outputs, _ = self.engines[0].run(self.tile(0).form, [pixels])
        letterbox = Letterbox.for_picture((info.height, info.width), self.plan.input, self.plan.preprocessing)
        return self._detector.find(outputs, letterbox)

    @cached_property
    def _detector(self) -> Detector:
        detector = self.plan.detector
        assert detector is not None, "only whole frames are searched for objects on an edge"
        return Detector(detector.description, self.plan.input, detector.outputs, tuple(detector.outputs))

    @property
    def tile_count(self) -> int:
        return self.plan.tile_count

    @property
    def lanes(self) -> TileLanes:
        """Return how tiles are computed here; the engines of all stages are opened for the same lanes."""
        return self.engines[0].lanes

    @property
    def reuses(self) -> bool:
        """Return whether tiles can be computed from strips here."""
        return bool(self._reusing) and self.engines[0].reuses

    @staticmethod
    def tile_kinds(stage: StagePlan) -> TileKinds:
        """Return the kinds of tiles that a stage's engine must run."""
        tiles = (*stage.tiles, *(plan for plan in stage.reusing if plan is not None))
        return TileKinds.from_tiles((plan.to_tile(0) for plan in tiles), stage.working_bytes)

    @cached_property
    def stages(self) -> tuple[tuple[Tile, ...], ...]:
        """Return the tiles of every stage."""
        return tuple(tuple(plan.to_tile(index) for index, plan in enumerate(stage.tiles)) for stage in self.plan.stages)

    @cached_property
    def _reusing(self) -> tuple[Tile | None, ...]:
        return tuple(
            None if plan is None else plan.to_tile(index) for index, plan in enumerate(self.plan.stages[0].reusing)
        )

    @cached_property
    def tile_order(self) -> TileOrder:
        """Return the order and costs of a frame's tiles."""
        cells = [joint.channels * np.dtype(joint.dtype).itemsize for joint in self.plan.stages[0].joints]
        return TileOrder.of_tiles(self.stages[0], self._reusing, cells, 3 * np.dtype(self.plan.pixels).itemsize)

    @cached_property
    def result_bytes(self) -> int:
        """Return the size of all results of a frame."""
        last = self.plan.stages[-1]
        tiles = self.stages[-1]
        return value_bytes(self.plan.maps) * sum(
            channels * region.area
            for tile in tiles
            for channels, region in zip(last.channels, tile.outputs, strict=True)
        )

    def tile(self, index: int, *, reusing: bool = False) -> Tile:
        """Return a tile of the first stage, with its whole halo or in the form that is computed from strips."""
        found = self._reusing[index] if reusing else self.stages[0][index]
        assert found is not None, "only a tile that depends on others is computed from strips"
        return found

    def decode_pixels(self, header: TileHeader, payload: Array) -> Pixels | None:
        """Return a received tile's pixels, uint8 (h, w, 3); None when they do not fit the plan."""
        size = (header.height, header.width)
        planned = header.epoch == self.epoch and header.tile < self.tile_count
        if not planned or (header.reusing and not (self.reuses and self._reusing[header.tile])):
            return None
        if self.tile(header.tile, reusing=header.reusing).form.sizes != (size,):
            return None
        shown = Region(*header.content) if header.content is not None else Region.whole(*size)
        within = 0 <= shown.top <= shown.bottom <= size[0] and 0 <= shown.left <= shown.right <= size[1]
        sent = self._sent_pixels(header, payload, shown) if within else None
        if sent is None or (shown.height, shown.width) == size:
            return sent
        pixels = np.full((*size, 3), self.plan.preprocessing.fill, np.uint8)
        pixels[shown.slices] = sent
        return pixels

    def _sent_pixels(self, header: TileHeader, payload: Array, shown: Region) -> Pixels | None:
        """Return the pixels in a payload, uint8 (h, w, 3), those of the region; None when it has others."""
        dtype = np.dtype(self.plan.pixels)
        if header.png:
            return decode_png(payload, shown.height, shown.width) if dtype == np.uint8 else None
        if payload.size != shown.area * 3 * dtype.itemsize:
            return None
        return payload.view(dtype).reshape(shown.height, shown.width, 3).astype(np.uint8, copy=False)

    def content(self, info: FrameInfo, region: Region) -> Region:
        """Return the part of a region of the input that shows the picture, relative to it; the rest are bars."""
        box = Letterbox.for_picture((info.height, info.width), self.plan.input, self.plan.preprocessing)
        (top, left), (height, width) = box.offset, box.size
        shown = region.overlap(Region(top, left, top + height, left + width))
        return shown.relative_to(region.top, region.left) if shown is not None else Region.whole(0, 0)

    def encode_tile(
        self, owner: str, info: FrameInfo, tile: Tile, view: Pixels, *, bars: bool = False
    ) -> tuple[TileHeader, Array]:
        """Return the header and the payload of a tile, whose pixels are `view`, uint8 (h, w, 3).

        The payload are the pixels of the picture, contiguous and of the plan's type, with or without the bars.
        """
        content = Region.whole(*view.shape[:2]) if bars else self.content(info, tile.inputs[0])
        header = self.tile_header(owner, info, tile, None if bars else content)
        return header, np.ascontiguousarray(view[content.slices], np.dtype(self.plan.pixels))

    def tile_header(self, owner: str, info: FrameInfo, tile: Tile, content: Region | None = None) -> TileHeader:
        """Return the header of a tile, of whose pixels only `content` is sent; None: all of them."""
        region = tile.inputs[0]
        return TileHeader(
            info=info, epoch=self.epoch, owner=owner, tile=tile.index, height=region.height, width=region.width,
            content=None if content is None else content.sides,
        )  # fmt: skip

    def givers(self, index: int) -> tuple[int, ...]:
        """Return the tiles that a tile takes strips from, sorted."""
        return tuple(sorted({strip.tile for strip in self.tile(index, reusing=True).taken}))

    def strip_bytes(self, index: int) -> int:
        """Return the bytes of all strips that a tile takes."""
        joints = self.plan.stages[0].joints
        return sum(
            joints[strip.joint].channels * strip.region.area * np.dtype(joints[strip.joint].dtype).itemsize
            for strip in self.tile(index, reusing=True).taken
        )

    def decode_strips(self, index: int, giver: int, payload: Array) -> list[Array] | None:
        """Return the received strips of `giver` for tile `index`, in order; None when they do not fit the plan."""
        joints = self.plan.stages[0].joints
        strips: list[Array] = []
        start = 0
        for strip in self.tile(index, reusing=True).taken:
            if strip.tile != giver:
                continue
            joint = joints[strip.joint]
            shape = (1, joint.channels, strip.region.height, strip.region.width)
            size = int(np.prod(shape)) * np.dtype(joint.dtype).itemsize
            if start + size > payload.size:
                return None
            strips.append(payload[start : start + size].view(joint.dtype).reshape(shape))
            start += size
        return strips if start == payload.size else None
