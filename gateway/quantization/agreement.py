"""Compares a float model and its int8 model by the objects that both find in the same pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.planning.partitioned import PartitionedModel, WholeHead
from shared.model.letterbox import Letterbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from gateway.models.catalogue import Model
    from shared.model.arrays import Pixels
    from shared.payloads.cluster import DetectedObject

SAME_OBJECT_IOU = 0.5
"""Boxes of one label count as the same object if their intersection over union is at least this."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """The numbers of objects that two models found in the same pictures.

    `score_difference` is the mean difference of scores of the objects that both found; None if there are none.
    """

    pictures: int
    by_float: int
    by_int8: int
    by_both: int
    score_difference: float | None


def compare_detections(model: Model, quantised: Model, pictures: Iterable[Pixels]) -> Agreement | None:
    """Return the agreement of two models on pictures, uint8 BGR (H, W, 3); None without pictures or a decoder."""
    if model.spec.decoder is None:
        return None
    runs = _detector_of(model), _detector_of(quantised)
    found = [tuple(run(picture) for run in runs) for picture in pictures]
    pairs = [pair for by_float, by_int8 in found for pair in same_objects(by_float, by_int8)]
    differences = [abs(found.score - other.score) for found, other in pairs]
    by_float, by_int8 = (sum(len(objects[at]) for objects in found) for at in (0, 1))
    mean = sum(differences) / len(differences) if differences else None
    return Agreement(len(found), by_float, by_int8, len(pairs), mean) if found else None


def _detector_of(model: Model) -> Callable[[Pixels], tuple[DetectedObject, ...]]:
    partitioned = PartitionedModel.whole(model)
    head, detector = WholeHead(partitioned, 1), partitioned.detector(1)

    def detect(picture: Pixels) -> tuple[DetectedObject, ...]:
        letterbox = Letterbox.for_picture(picture.shape, model.network.input_size, model.spec.preprocessing)
        return detector.detect(head.run(letterbox.apply(picture, model.spec.preprocessing)), letterbox).objects

    return detect


def same_objects(
    some: Sequence[DetectedObject], others: Sequence[DetectedObject]
) -> list[tuple[DetectedObject, DetectedObject]]:
    """Return the pairs of objects of one label whose boxes overlap most, in the order of `some`.

    No object is in two pairs.
    """
    left = list(others)
    pairs = []
    for found in some:
        candidates = [
            other for other in left if other.label == found.label and _iou(found.box, other.box) >= SAME_OBJECT_IOU
        ]
        if candidates:
            pairs.append((found, max(candidates, key=lambda other: _iou(found.box, other.box))))
            left.remove(pairs[-1][1])
    return pairs


def _iou(a: Sequence[float], b: Sequence[float]) -> float:
    """Return the intersection over union of two boxes, left, top, right, bottom."""
    width, height = (max(0.0, min(a[2 + axis], b[2 + axis]) - max(a[axis], b[axis])) for axis in (0, 1))
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b))
    return width * height / max(areas - width * height, 1e-9)
