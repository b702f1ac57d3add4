"""Computes which parts of a camera's picture the tiles of a plan compute. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import ref

from shared.model.letterbox import Letterbox

if TYPE_CHECKING:
    from gateway.planning.partitioned import PartitionedModel
    from shared.ftp.stage import Tile

    TileBox = tuple[float, float, float, float]
    """Left, top, right, bottom, as fractions of the picture's size."""

WHOLE_PICTURE: TileBox = (0.0, 0.0, 1.0, 1.0)

MAX_LAYOUTS = 64
"""Layouts that are kept: those of a plan or two, for each size of a home's cameras."""


class TileLayouts:
    """The layouts by division and by size of the picture; each is computed once."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, tuple[int, int]], tuple[ref[PartitionedModel], list[TileBox]]] = {}

    def boxes(self, divided: PartitionedModel, size: tuple[int, int]) -> list[TileBox]:
        """Return the part of each tile, without its halo, in a picture of this size (width, height in pixels)."""
        key = id(divided), size
        known = self._known.get(key)
        if known is not None and known[0]() is divided:  # a new object may have the id of one that was freed
            return known[1]
        if len(self._known) >= MAX_LAYOUTS:
            self._known.clear()
        boxes = tile_boxes(divided, size)
        self._known[key] = ref(divided), boxes
        return boxes


def tile_boxes(divided: PartitionedModel, size: tuple[int, int]) -> list[TileBox]:
    """Return the part of each tile in a picture of this size (width, height), without the letterbox's bars."""
    if divided.stage.whole or len(divided.stage.tiles) == 1:
        return [WHOLE_PICTURE]
    network = divided.model.network
    letterbox = Letterbox.for_picture((size[1], size[0]), network.input_size, divided.spec.preprocessing)
    rows, columns = network.shapes[divided.stage.cut[0]][2:]
    return [_box(tile, (rows, columns), letterbox) for tile in divided.stage.tiles]


def _box(tile: Tile, cells: tuple[int, int], letterbox: Letterbox) -> TileBox:
    region, (rows, columns) = tile.outputs[0], cells
    (top, left), (height, width) = letterbox.offset, letterbox.size
    return (
        _relative_position(region.left * letterbox.width / columns, left, width),
        _relative_position(region.top * letterbox.height / rows, top, height),
        _relative_position(region.right * letterbox.width / columns, left, width),
        _relative_position(region.bottom * letterbox.height / rows, top, height),
    )


def _relative_position(at: float, begin: int, length: int) -> float:
    """Return a position within a length that begins at `begin`, as a fraction from 0 to 1."""
    return round(min(1.0, max(0.0, (at - begin) / length)), 5)
