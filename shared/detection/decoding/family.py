"""A family of detectors: the shapes of its outputs, their decoder, and its preprocessing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.model.arrays import Array

if TYPE_CHECKING:
    from shared.model.arrays import FloatArray
    from shared.model.spec import ModelSpec, Preprocessing

Outputs = Mapping[str, Array]
Shapes = Mapping[str, tuple[int, ...]]
InputSize = tuple[int, int]

COCO_CLASSES = 80
"""Classes of the data set that public detectors are trained on: the first guess without labels."""

ANY_NUMBER = 0
"""Stands for any number of classes: outputs that hold the class number of a box have no fixed number."""

USUAL_REMEDY = "export it as docs/models.md shows"


@dataclass(frozen=True, slots=True)
class Family:
    """Detectors with one decoder. Sizes are (height, width) of the input, in pixels.

    Coordinates "in parts of the picture" are relative to its width and height, from 0 to 1.

    `describe` returns a description of the outputs for an input size. `classes` returns the numbers of classes that
    outputs of these shapes can hold, likeliest first; empty: the outputs are not of this family. `decode` returns
    boxes, float32 (N, 4) as left, top, right, bottom in input pixels, and scores, float32 (N, classes), of all cells
    with a score that is not below the threshold.

    `doubt` returns the reason why outputs for a picture cannot be of this family, "" when they can be; `remedy` is what
    to do then. `overlapping`: several boxes are made for one object, so all but the best must be suppressed.
    """

    name: str
    preprocessing: Preprocessing
    describe: Callable[[InputSize], str]
    classes: Callable[[Shapes, InputSize, ModelSpec], tuple[int, ...]]
    decode: Callable[[Outputs, InputSize, ModelSpec], tuple[FloatArray, FloatArray]]
    doubt: Callable[[Outputs, InputSize, ModelSpec], str]
    remedy: str = USUAL_REMEDY
    overlapping: bool = True


def choose_class_count(possible: tuple[int, ...], spec: ModelSpec) -> int:
    """Return the number of classes: as many as there are labels, else COCO's, else the likeliest."""
    return next((number for number in (len(spec.labels), COCO_CLASSES) if number in possible), possible[0])


def shapes_of(outputs: Outputs) -> Shapes:
    """Return the shapes of outputs by name."""
    return {name: value.shape for name, value in outputs.items()}


def only_table(shapes: Shapes) -> tuple[int, int] | None:
    """Return rows and columns of the only output (1, rows, columns); None for other outputs."""
    if len(shapes) != 1:
        return None
    (shape,) = shapes.values()
    return (shape[1], shape[2]) if len(shape) == 3 and shape[0] == 1 else None


def masked_table(shapes: Shapes) -> tuple[str, int] | None:
    """Return the name of the only table (1, rows, columns), and how many of its numbers are for masks.

    Only networks with prototype masks (1, masks, H, W) have such numbers. None for other outputs.
    """
    tables = [name for name, shape in shapes.items() if len(shape) == 3 and shape[0] == 1]
    maps = [shape for shape in shapes.values() if len(shape) == 4 and shape[0] == 1]
    if len(tables) != 1 or len(maps) > 1 or len(shapes) != 1 + len(maps):
        return None
    return tables[0], maps[0][1] if maps else 0


BOX_NAMES = ("box", "dets", "loc")
"""Parts of names of outputs with boxes, used if the shapes do not distinguish boxes from scores."""


def boxes_and_scores(shapes: Shapes) -> tuple[str, str] | None:
    """Return the names of the outputs with boxes (1, N, 4) and with scores (1, N, more than one), else None.

    A map (1, C, H, W) beside them is ignored: it holds prototype masks.
    """
    tables = {name: shape for name, shape in shapes.items() if len(shape) == 3 and shape[0] == 1}
    maps = [name for name, shape in shapes.items() if len(shape) == 4]
    if len(tables) != 2 or len(shapes) > 2 + len(maps[:1]) or len({shape[1] for shape in tables.values()}) != 1:
        return None
    boxes = [name for name, shape in tables.items() if shape[2] == 4]
    if len(boxes) == 2:  # with four scores, both have the same shape: only the names differ
        boxes = [name for name in boxes if any(word in name.lower() for word in BOX_NAMES)]
    if len(boxes) != 1:
        return None
    (scores,) = tables.keys() - boxes
    return boxes[0], scores
