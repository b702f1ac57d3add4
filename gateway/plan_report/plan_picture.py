"""Draws Fused Tile Partitioning: a frame in tiles, and the part of every map that one tile computes."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import cv2
import numpy as np

from gateway.annotation.text_drawing import (
    BOLD,
    Colour,
    draw_arrow,
    draw_text,
    draw_text_on_plate,
    plate_size,
    shorten_to_width,
)
from shared.ftp.propagation import Propagation
from shared.ftp.region import Region

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.planning.partitioned import PartitionedModel
    from shared.ftp.stage import Tile
    from shared.model.arrays import Pixels

TINTS: tuple[Colour, ...] = (
    (178, 114, 0), (0, 159, 230), (115, 158, 0), (167, 121, 204), (0, 94, 213), (233, 180, 86), (66, 228, 240),
)  # fmt: skip
"""Okabe and Ito's colours (BGR), which colour-blind people can distinguish."""

ACCENT: Colour = (0, 94, 213)
INK: Colour = (40, 36, 33)
FAINT: Colour = (130, 124, 118)
PAPER: Colour = (250, 250, 250)
WHITE: Colour = (255, 255, 255)

WIDTH, HEIGHT = 1600, 1060
FRAME_SIDE = 780
"""Pixels of the longer side of the frame in the picture."""

MARGIN, TOP = 40, 110
LETTERS = 20
"""Height of the letters of a label, in pixels."""

MAX_MAPS = 5
"""Maps beside the frame, from the picture to the cut: enough to see how the region shrinks."""


@dataclass(frozen=True, slots=True)
class Scale:
    """The place of a map in the picture: its top left corner in pixels, and the pixels for each cell."""

    left: int
    top: int
    across: float
    down: float

    def corners(self, region: Region) -> tuple[tuple[int, int], tuple[int, int]]:
        """Return the top left and bottom right corner of a region, each (x, y) in pixels."""
        return (
            (round(self.left + region.left * self.across), round(self.top + region.top * self.down)),
            (round(self.left + region.right * self.across), round(self.top + region.bottom * self.down)),
        )


def draw_plan(partitioned: PartitionedModel, pixels: Pixels, caption: str) -> Pixels:
    """Return the picture, uint8 BGR (1060, 1600, 3), for letterboxed pixels, uint8 BGR (H, W, 3)."""
    stage = partitioned.stage
    tile = stage.tiles[(stage.grid.rows // 2) * stage.grid.columns + stage.grid.columns // 2]
    canvas = np.full((HEIGHT, WIDTH, 3), PAPER, np.uint8)
    title = f"{partitioned.spec.name}: {len(stage.layers)} layers up to {', '.join(stage.cut)}, in {stage.grid} tiles"
    draw_text(canvas, shorten_to_width(title, WIDTH - 2 * MARGIN, 30), (MARGIN, 54), INK, 30, BOLD)
    below = _draw_frame(canvas, partitioned, pixels, tile)
    for line, sentence in enumerate(picture_sentences(partitioned, tile)):
        draw_text(canvas, sentence, (MARGIN, below + 36 + 28 * line), INK, 19)
    _draw_maps(canvas, partitioned, tile)
    draw_text(canvas, caption, (MARGIN, HEIGHT - 24), FAINT, 19)
    return canvas


def picture_sentences(partitioned: PartitionedModel, tile: Tile) -> list[str]:
    """Return the sentences below the frame, which describe one tile."""
    own, read, halo = _own_part(partitioned, tile), tile.inputs[0], max(_halos(partitioned, tile))
    computes = f"Tile {tile.index + 1} computes {own.width}x{own.height} pixels of the frame"
    if not halo:
        return [f"{computes}, and reads no more than these."]
    lines = [
        f"{computes}. For that it reads {read.width}x{read.height}:",
        f"its own part and a halo of {halo} pixels (hatched), which its neighbours compute as well.",
    ]
    sizes = [_own_part(partitioned, other).area for other in partitioned.stage.tiles]
    if max(sizes) > 1.2 * own.area:
        lines.append("Tiles at the border have a halo on fewer sides, so their own parts may be larger.")
    return lines


def _halos(partitioned: PartitionedModel, tile: Tile) -> tuple[int, int, int, int]:
    """Return the pixels that a tile reads beyond its own part: above, left, below, right."""
    own, read = _own_part(partitioned, tile), tile.inputs[0]
    return own.top - read.top, own.left - read.left, read.bottom - own.bottom, read.right - own.right


def _own_part(partitioned: PartitionedModel, tile: Tile, size: Sequence[int] = ()) -> Region:
    """Return a tile's own part of a map of this size (height, width), or of the frame: its scaled part of the cut."""
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
    """Draw the frame with all tiles, and one tile's halo; return the row below it."""
    height, width = pixels.shape[:2]
    factor = FRAME_SIDE / max(height, width)
    size = round(width * factor), round(height * factor)
    smooth = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    frame: Pixels = np.asarray(cv2.resize(pixels, size, interpolation=smooth), np.uint8)
    scale = Scale(0, 0, factor, factor)
    tinted = frame.copy()
    for other in partitioned.stage.tiles:
        row, column = divmod(other.index, partitioned.stage.grid.columns)
        if other is not tile:
            colour = TINTS[(column + 3 * row) % len(TINTS)]
            cv2.rectangle(tinted, *scale.corners(_own_part(partitioned, other)), colour, cv2.FILLED)
    frame = np.asarray(cv2.addWeighted(frame, 0.74, tinted, 0.26, 0), np.uint8)
    own, read = _own_part(partitioned, tile), tile.inputs[0]
    _hatch(frame, scale, own, read)
    canvas[TOP : TOP + size[1], MARGIN : MARGIN + size[0]] = frame
    scale = Scale(MARGIN, TOP, factor, factor)
    for other in partitioned.stage.tiles:
        cv2.rectangle(canvas, *scale.corners(_own_part(partitioned, other)), WHITE, 2, cv2.LINE_AA)
    for region, colour, thickness in ((own, WHITE, 6), (own, INK, 2), (read, WHITE, 7), (read, ACCENT, 4)):
        cv2.rectangle(canvas, *scale.corners(region), colour, thickness, cv2.LINE_AA)
    _number_tiles(canvas, partitioned, scale, tile)
    _label_halo(canvas, partitioned, scale, tile)
    return TOP + size[1]


def _number_tiles(canvas: Pixels, partitioned: PartitionedModel, scale: Scale, tile: Tile) -> None:
    """Write the number of each tile into its corner, where there is room for it."""
    for other in partitioned.stage.tiles:
        first, last = scale.corners(_own_part(partitioned, other))
        label = str(other.index + 1)
        width, height = plate_size(label, LETTERS)
        if last[0] - first[0] >= width + 12 and last[1] - first[1] >= height + 12:
            centre = first[0] + 8 + width // 2, first[1] + 8 + height // 2
            draw_text_on_plate(canvas, label, centre, WHITE, ACCENT if other is tile else INK, LETTERS)


def _label_halo(canvas: Pixels, partitioned: PartitionedModel, scale: Scale, tile: Tile) -> None:
    """Write the width of the halo, with arrows across its widest side, where there is room for it."""
    halos = _halos(partitioned, tile)
    (left, top), (right, bottom) = scale.corners(_own_part(partitioned, tile))
    (outer_left, outer_top), (outer_right, outer_bottom) = scale.corners(tile.inputs[0])
    x, y = (left + right) // 2, (top + bottom) // 2
    sides = (((x, top), (x, outer_top)), ((left, y), (outer_left, y)), ((x, bottom), (x, outer_bottom)),
             ((right, y), (outer_right, y)))  # fmt: skip
    inner, outer = sides[halos.index(max(halos))]
    if max(halos) * min(scale.across, scale.down) < 2 * plate_size("", LETTERS)[1]:
        return
    draw_arrow(canvas, inner, outer, INK)
    draw_arrow(canvas, outer, inner, INK)
    middle = (inner[0] + outer[0]) // 2, (2 * inner[1] + outer[1]) // 3  # not over the number of the tile above
    draw_text_on_plate(canvas, f"halo {max(halos)} px", middle, WHITE, ACCENT, LETTERS)


def _hatch(frame: Pixels, scale: Scale, own: Region, read: Region) -> None:
    """Hatch the pixels that are read beyond the tile's own part."""
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
    """Draw a column of maps, from the picture to the cut, each with the part that the tile computes."""
    network, stage = partitioned.model.network, partitioned.stage
    boxes = Propagation(network, stage.layers).propagate(dict(zip(stage.cut, tile.outputs, strict=True))).boxes
    names = _representative_maps(partitioned)
    left, top, bottom = MARGIN + FRAME_SIDE + 90, TOP, HEIGHT - 90
    heading = f"What tile {tile.index + 1} computes of every map: its own part, and its halo"
    draw_text(canvas, heading, (left, top - 18), INK, 20, BOLD)
    room = (bottom - top) // len(names)
    side = room - 34
    for number, name in enumerate(names):
        rows, columns = network.shapes[name][2:]
        size = max(28, round(side * (1 - 0.5 * number / max(1, len(names) - 1))))
        corner = left + (side - size) // 2, top + number * room
        factor = size / max(rows, columns)
        scale = Scale(*corner, factor, factor)
        whole, box = Region.whole(rows, columns), boxes[name]
        cv2.rectangle(canvas, *scale.corners(whole), WHITE, cv2.FILLED)
        cv2.rectangle(canvas, *scale.corners(box), _lighter(ACCENT), cv2.FILLED)
        own = _own_part(partitioned, tile, (rows, columns))
        cv2.rectangle(canvas, *scale.corners(own), ACCENT, cv2.FILLED)
        cv2.rectangle(canvas, *scale.corners(box), ACCENT, 2, cv2.LINE_AA)
        cv2.rectangle(canvas, *scale.corners(whole), FAINT, 1, cv2.LINE_AA)
        beside, middle = left + side + 30, corner[1] + round(rows * factor) // 2
        title = "picture" if number == 0 else name
        draw_text(canvas, shorten_to_width(title, WIDTH - MARGIN - beside, 20), (beside, middle - 6), INK, 20, BOLD)
        share = f"{box.area / whole.area:.{int(box.area < whole.area / 100)}%}"
        text = f"{columns}x{rows} cells, {network.shapes[name][1]} channels: {box.width}x{box.height} = {share}"
        draw_text(canvas, text, (beside, middle + 20), FAINT, 18)
        if number < len(names) - 1:
            x, y = left + side // 2, corner[1] + round(rows * factor)
            draw_arrow(canvas, (x, y + 7), (x, top + (number + 1) * room - 7), FAINT)


def _representative_maps(partitioned: PartitionedModel) -> list[str]:
    """Return the picture, the cut, and maps at even distances between them, each the last one of its size."""
    network, stage = partitioned.model.network, partitioned.stage
    trail = [layer.outputs[0] for layer in stage.layers]
    between = [
        name
        for name, following in pairwise(trail)
        if network.shapes[name][2:] != network.shapes[following][2:] or len(trail) <= MAX_MAPS
    ] or trail[:-1]
    wanted = min(MAX_MAPS - 2, len(between))
    chosen = [between[(2 * place + 1) * len(between) // (2 * wanted)] for place in range(wanted)]
    return list(dict.fromkeys([network.input, *chosen, stage.cut[-1]]))


def _lighter(colour: Colour) -> Colour:
    blue, green, red = (round(0.35 * part + 0.65 * 255) for part in colour)
    return blue, green, red
