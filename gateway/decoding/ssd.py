"""Single shot detectors (Liu et al. 2016) with their priors in the graph, such as UltraFace's exports."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gateway.decoding.arithmetic import reaching
from gateway.decoding.family import Array, Family, Shapes, Size
from shared.model.spec import Preprocessing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.ftp.merge import Map
    from shared.model.spec import ModelSpec


def decode(outputs: Mapping[str, Map], input_size: Size, spec: ModelSpec) -> tuple[Array, Array]:
    """Boxes and scores, see Family. Outputs: boxes (1, N, 4) in parts of the input, scores (1, N, 1 + classes).

    The first score is the background's, and is left out.
    """
    names = _names({name: value.shape for name, value in outputs.items()})
    assert names is not None, "the shapes have been looked at"
    boxes, scores = (outputs[name][0] for name in names)
    scores = scores[:, 1:]
    kept = reaching(scores.max(axis=1), spec.score_threshold)
    height, width = input_size
    return boxes[kept] * np.array([width, height, width, height], np.float32), scores[kept]


def _names(shapes: Shapes) -> tuple[str, str] | None:
    """Which output has the boxes and which the scores; None when these are not two such outputs."""
    tables = {name: shape for name, shape in shapes.items() if len(shape) == 3 and shape[0] == 1}
    if len(shapes) != 2 or len(tables) != 2 or len({shape[1] for shape in tables.values()}) != 1:
        return None
    boxes = [name for name, shape in tables.items() if shape[2] == 4]
    if len(boxes) == 2:  # three classes and the background: only a name tells boxes from scores
        boxes = [name for name in boxes if "box" in name.lower()]
    if len(boxes) != 1:
        return None
    (scores,) = tables.keys() - boxes
    return (boxes[0], scores) if tables[scores][2] > 1 else None


def _classes(shapes: Shapes, _size: Size, _spec: ModelSpec) -> tuple[int, ...]:
    names = _names(shapes)
    return () if names is None else (shapes[names[1]][2] - 1,)


def _look(_size: Size) -> str:
    return "two outputs, boxes [1, N, 4] and scores [1, N, background + classes]"


SSD = Family(
    name="ssd",
    preprocessing=Preprocessing(channels="rgb", mean=(127.0,) * 3, std=(128.0,) * 3, fill=127),
    look=_look,
    classes=_classes,
    decode=decode,
)
