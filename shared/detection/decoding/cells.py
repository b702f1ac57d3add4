"""The cells of detectors without anchors: for each stride one row after the other, fine strides first."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from shared.detection.decoding.family import InputSize
    from shared.model.arrays import FloatArray

STRIDES = (8, 16, 32)
"""The strides of most detectors: distances between the cells of a map, in pixels of the input."""

STRIDES_TO_64 = (8, 16, 32, 64)
"""The strides of detectors with another, coarser map."""

USUAL_STRIDES = (
    STRIDES, STRIDES_TO_64, (4, 8, 16, 32), (4, 8, 16, 32, 64), (16, 32), (4, 8, 16), (8, 16), (16, 32, 64),
    (8, 16, 32, 64, 128), (32,), (16,), (8,),
)  # fmt: skip
"""Strides of public detectors, likeliest first. P6 heads reach to 64, P2 heads for small objects begin at 4."""

FINE_STRIDES = USUAL_STRIDES[:4]
"""Strides that may identify a detector: the others make so few cells that another table may have as many rows."""


@dataclass(frozen=True, slots=True)
class Cells:
    """N cells of an input: `places` (N, 2) are their columns and rows, `strides` (N, 1) their sides in pixels, float32.

    The cells are in the order in which detectors without anchors give their rows: fine strides first, row by row.
    """

    places: FloatArray
    strides: FloatArray


def cell_count(input_size: InputSize, strides: tuple[int, ...]) -> int:
    """Return the number of cells of an input (height, width); a part of a stride at the border is a cell, too."""
    return sum(-(-input_size[0] // stride) * -(-input_size[1] // stride) for stride in strides)


def strides_by_cell_count(
    input_size: InputSize, usual: tuple[tuple[int, ...], ...] = USUAL_STRIDES
) -> dict[int, tuple[int, ...]]:
    """Return the usual strides by the number of cells that they make; the likeliest wins where two make as many."""
    return {cell_count(input_size, strides): strides for strides in reversed(usual)}


@lru_cache(maxsize=4)  # a process decodes one model; tests and benchmarks a few
def make_cells(input_size: InputSize, strides: tuple[int, ...]) -> Cells:
    """Return all cells of an input (height, width)."""
    places, of_cells = [], []
    for stride in strides:
        rows, columns = -(-input_size[0] // stride), -(-input_size[1] // stride)
        row, column = np.divmod(np.arange(rows * columns), columns)
        places.append(np.stack([column, row], axis=1))
        of_cells.append(np.full((rows * columns, 1), stride))
    return Cells(np.concatenate(places).astype(np.float32), np.concatenate(of_cells).astype(np.float32))
