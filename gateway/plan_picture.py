"""Fused Tile Partitioning in one picture: a frame in tiles, and what one of them needs of every map."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import cv2
import numpy as np

from shared.ftp.region import Region
from shared.ftp.tiles import Propagation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.partitioned import PartitionedModel
    from shared.ftp.tiles import Tile
    from shared.letterbox import Pixels

Colour = tuple[int, int, int]

TINTS: tuple[Colour, ...] = (
    (178, 114, 0), (0, 159, 230), (115, 158, 0), (167, 121, 204), (0, 94, 213), (233, 180, 86), (66, 228, 240),
)  # fmt: skip
"""Okabe and Ito's colours, which people tell apart who do not see all of them (BGR)."""

ACCENT: Colour = (0, 94, 213)
INK: Colour = (40, 36, 33)
FAINT: Colour = (130, 124, 118)
PAPER: Colour = (250, 250, 250)

WIDTH, HEIGHT = 1600, 1060
FRAME_SIDE = 800
"""Pixels of the longer side of the frame in the picture."""

MARGIN, TOP = 40, 110
MAPS = 5
"""Maps beside the frame, from the picture to the cut: enough to see the region shrink."""


@dataclass(frozen=True, slots=True)
class Scale:
    """Where a map of `rows` x `columns` cells is drawn: its top left corner, and pixels for each cell."""

    left: int
    top: int
    across: float
    down: float

    def corners(self, region: Region) -> tuple[tuple[int, int], tuple[int, int]]:
        return (
            (round(self.left + region.left * self.across), round(self.top + region.top * self.down)),
            (round(self.left + region.right * self.across), round(self.top + region.bottom * self.down)),
        )


def draw_plan(partitioned: PartitionedModel, pixels: Pixels, caption: str) -> Pixels:
    """The picture, uint8 BGR (1060, 1600, 3), over letterboxed pixels, uint8 BGR (H, W, 3), of the model's input."""
    stage = partitioned.stage
    tile = stage.tiles[(stage.grid.rows // 2) * stage.grid.columns + stage.grid.columns // 2]
    canvas = np.full((HEIGHT, WIDTH, 3), PAPER, np.uint8)
    title = f"{partitioned.spec.name}: {len(stage.layers)} layers up to {', '.join(stage.cut)}, in {stage.grid} tiles"
    _text(canvas, _fit(title, WIDTH - 2 * MARGIN, 30), (MARGIN, 62), INK, 30, 600)
    below = _draw_frame(canvas, partitioned, pixels, tile)
    own, read = _own_part(partitioned, tile), tile.input
    halo = max(own.top - read.top, read.bottom - own.bottom, own.left - read.left, read.right - own.right)
    words = (
        f"Tile {tile.index + 1} computes {own.width}x{own.height} pixels of the frame. For that it reads "
        f"{read.width}x{read.height}:",
        f"its own part and a halo of {halo} pixels (hatched), which its neighbours compute as well.",
    )
    for line, sentence in enumerate(words):
        _text(canvas, sentence, (MARGIN, below + 36 + 28 * line), INK, 19, 400)
    _draw_maps(canvas, partitioned, tile)
    _text(canvas, caption, (MARGIN, HEIGHT - 26), FAINT, 19, 400)
    return canvas


def _own_part(partitioned: PartitionedModel, tile: Tile, size: Sequence[int] = ()) -> Region:
    """The part that a tile's cells at the cut stand for, of a map of this size (height, width), or of the frame."""
    network, stage = partitioned.model.network, partitioned.stage
    rows, columns = network.shapes[stage.cut[0]][2:]
    height, width = size or network.input_size
    region = tile.outputs[0]
    return Region(
        region.top * height // rows,
        region.left * width // columns,
        region.bottom * height // rows,
        region.right * width // columns,
    )


def _draw_frame(canvas: Pixels, partitioned: PartitionedModel, pixels: Pixels, tile: Tile) -> int:
    """The frame with all tiles, and one tile's halo; returns the row below it."""
    height, width = pixels.shape[:2]
    factor = FRAME_SIDE / max(height, width)
    size = round(width * factor), round(height * factor)
    smooth = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    frame: Pixels = np.asarray(cv2.resize(pixels, size, interpolation=smooth), np.uint8)
    scale = Scale(0, 0, factor, factor)
    tinted = frame.copy()
    for other in partitioned.stage.tiles:
        row, column = divmod(other.index, partitioned.stage.grid.columns)
        colour = TINTS[(column + 3 * row) % len(TINTS)]
        cv2.rectangle(tinted, *scale.corners(_own_part(partitioned, other)), colour, cv2.FILLED)
    frame = np.asarray(cv2.addWeighted(frame, 0.74, tinted, 0.26, 0), np.uint8)
    own, read = _own_part(partitioned, tile), tile.input
    _hatch(frame, scale, own, read)
    for other in partitioned.stage.tiles:
        first, last = scale.corners(_own_part(partitioned, other))
        cv2.rectangle(frame, first, last, (255, 255, 255), 2, cv2.LINE_AA)
        label, side = str(other.index + 1), 26 if partitioned.stage.grid.count <= 16 else 20
        _text(frame, label, (first[0] + 12, first[1] + side + 8), (255, 255, 255), side, 700)
    cv2.rectangle(frame, *scale.corners(read), (255, 255, 255), 7, cv2.LINE_AA)
    cv2.rectangle(frame, *scale.corners(read), ACCENT, 4, cv2.LINE_AA)
    cv2.rectangle(frame, *scale.corners(own), (255, 255, 255), 4, cv2.LINE_AA)
    canvas[TOP : TOP + size[1], MARGIN : MARGIN + size[0]] = frame
    return TOP + size[1]


def _hatch(frame: Pixels, scale: Scale, own: Region, read: Region) -> None:
    """Fine slanting lines over what is read beyond the tile's own part."""
    lines = frame.copy()
    (left, top), (right, bottom) = scale.corners(read)
    for start in range(left - (bottom - top), right, 12):
        cv2.line(lines, (start, bottom), (start + bottom - top, top), ACCENT, 2, cv2.LINE_AA)
    halo = np.zeros(frame.shape[:2], bool)
    halo[max(0, top) : bottom, max(0, left) : right] = True
    (left, top), (right, bottom) = scale.corners(own)
    halo[top:bottom, left:right] = False
    frame[halo] = (0.35 * frame[halo] + 0.65 * lines[halo]).astype(np.uint8)


def _draw_maps(canvas: Pixels, partitioned: PartitionedModel, tile: Tile) -> None:
    """A stack of maps, from the picture to the cut, each with the part of it that the tile computes."""
    network, stage = partitioned.model.network, partitioned.stage
    boxes = Propagation(network, stage.layers).regions(dict(zip(stage.cut, tile.outputs, strict=True))).boxes
    names = _representative(partitioned)
    left, top, bottom = MARGIN + FRAME_SIDE + 90, TOP, HEIGHT - 90
    heading = f"What tile {tile.index + 1} computes of every map: its own part, and its halo"
    _text(canvas, heading, (left, top - 18), INK, 20, 600)
    room = (bottom - top) // len(names)
    side = room - 34
    for number, name in enumerate(names):
        rows, columns = network.shapes[name][2:]
        size = max(28, round(side * (1 - 0.5 * number / max(1, len(names) - 1))))
        corner = left + (side - size) // 2, top + number * room
        factor = size / max(rows, columns)
        scale = Scale(*corner, factor, factor)
        whole, box = Region.whole(rows, columns), boxes[name]
        cv2.rectangle(canvas, *scale.corners(whole), (255, 255, 255), cv2.FILLED)
        cv2.rectangle(canvas, *scale.corners(box), _lighter(ACCENT), cv2.FILLED)
        own = _own_part(partitioned, tile, (rows, columns))
        cv2.rectangle(canvas, *scale.corners(own), ACCENT, cv2.FILLED)
        cv2.rectangle(canvas, *scale.corners(box), ACCENT, 2, cv2.LINE_AA)
        cv2.rectangle(canvas, *scale.corners(whole), FAINT, 1, cv2.LINE_AA)
        beside, middle = left + side + 30, corner[1] + round(rows * factor) // 2
        title = "picture" if number == 0 else name
        _text(canvas, _fit(title, WIDTH - MARGIN - beside, 20), (beside, middle - 6), INK, 20, 600)
        share = box.area / whole.area
        words = f"{columns}x{rows} cells, {network.shapes[name][1]} channels: {box.width}x{box.height} = {share:.0%}"
        _text(canvas, words, (beside, middle + 20), FAINT, 18, 400)
        if number < len(names) - 1:
            x, y = left + side // 2, corner[1] + round(rows * factor)
            _arrow(canvas, (x, y + 7), (x, top + (number + 1) * room - 7))


def _arrow(canvas: Pixels, start: tuple[int, int], end: tuple[int, int]) -> None:
    """Straight down, with a tip of the same size whatever the length."""
    cv2.arrowedLine(canvas, start, end, FAINT, 2, cv2.LINE_AA, tipLength=9 / max(9, end[1] - start[1]))


def _representative(partitioned: PartitionedModel) -> list[str]:
    """The picture, the cut, and maps between them at even distances: such as the last layer before the map shrinks."""
    network, stage = partitioned.model.network, partitioned.stage
    trail = [layer.outputs[0] for layer in stage.layers]
    between = [
        name
        for name, following in pairwise(trail)
        if network.shapes[name][2:] != network.shapes[following][2:] or len(trail) <= MAPS
    ] or trail[:-1]
    wanted = min(MAPS - 2, len(between))
    chosen = [between[(2 * place + 1) * len(between) // (2 * wanted)] for place in range(wanted)]
    return list(dict.fromkeys([network.input, *chosen, stage.cut[-1]]))


def _lighter(colour: Colour) -> Colour:
    blue, green, red = (round(0.35 * part + 0.65 * 255) for part in colour)
    return blue, green, red


def _text(canvas: Pixels, text: str, start: tuple[int, int], colour: Colour, size: int, weight: int) -> None:
    """One line from `start`, the left end of its base line; `size` in pixels, `weight` from 100 to 900."""
    cv2.putText(canvas, text, start, colour, cv2.FontFace("sans"), size, weight)


def _width(text: str, size: int) -> int:
    left, _, right, _ = _bounds(text, size)
    return right - left


def _bounds(text: str, size: int) -> Sequence[int]:
    left, top, width, height = cv2.getTextSize((WIDTH, HEIGHT), text, (0, 0), cv2.FontFace("sans"), size, 600)
    return left, top, left + width, top + height


def _fit(text: str, width: int, size: int) -> str:
    """The text, or its beginning and end, so that it is no wider than `width` pixels."""
    shown, kept = text, len(text)
    while _width(shown, size) > width and kept > 4:
        kept -= 1
        shown = f"{text[: (kept + 1) // 2]}…{text[len(text) - kept // 2 :]}"
    return shown
