"""What a family of detectors is: how its outputs look, how they are read, how its pictures are prepared."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from shared.ftp.merge import Map
    from shared.model.spec import ModelSpec, Preprocessing

Array = np.ndarray[tuple[int, ...], np.dtype[np.float32]]
Shapes = Mapping[str, tuple[int, ...]]
Size = tuple[int, int]

COCO_CLASSES = 80
"""What public detectors are trained on, so the first guess where no labels tell how many classes there are."""


@dataclass(frozen=True, slots=True)
class Family:
    """Detectors whose outputs are read in one way. Sizes are (height, width) of the input, in pixels.

    `look` says how the outputs look for an input size. `classes` tells how many classes outputs of such shapes can
    hold, likeliest first; none: they are not of this family. `decode` makes boxes, float32 (N, 4) as left, top, right,
    bottom in input pixels, and scores, float32 (N, classes), of all cells where one is not below the threshold.
    """

    name: str
    preprocessing: Preprocessing
    look: Callable[[Size], str]
    classes: Callable[[Shapes, Size, ModelSpec], tuple[int, ...]]
    decode: Callable[[Mapping[str, Map], Size, ModelSpec], tuple[Array, Array]]


def settle(possible: tuple[int, ...], spec: ModelSpec) -> int:
    """The number of classes: as many as there are labels, else COCO's, else the likeliest."""
    return next((number for number in (len(spec.labels), COCO_CLASSES) if number in possible), possible[0])


def only_table(shapes: Shapes) -> tuple[int, int] | None:
    """Rows and columns of the one output (1, rows, columns); None when there are others, or it is no table."""
    if len(shapes) != 1:
        return None
    (shape,) = shapes.values()
    return (shape[1], shape[2]) if len(shape) == 3 and shape[0] == 1 else None
