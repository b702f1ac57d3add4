"""From the maps at the cut to the objects in the picture: tail, decoding, suppression."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2

from gateway.decoding import Candidates, decode
from shared.errors import ModelError
from shared.messages import DetectedObject

if TYPE_CHECKING:
    from gateway.partitioned import PartitionedModel
    from shared.ftp.merge import Map
    from shared.letterbox import Letterbox

OBJECTS_CAP = 300
"""Objects in one frame: more is a broken model, not a crowd."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What was seen, best first, and how long the two steps took."""

    objects: tuple[DetectedObject, ...]
    tail_ms: float
    decode_ms: float


class Detector:
    """Everything behind the cut. Not safe for several threads at once."""

    def __init__(self, partitioned: PartitionedModel, threads: int) -> None:
        self._spec = partitioned.spec
        self._cut = partitioned.stage.cut
        self._input_size = partitioned.model.network.input_size
        self._tail = partitioned.tail(threads)

    def detect(self, maps: list[Map], letterbox: Letterbox) -> Findings:
        """`letterbox` tells where the picture lies in the input. Raises ModelError when no decoder fits."""
        begun = time.monotonic()
        outputs = dict(zip(self._cut, maps, strict=True))
        if self._tail is not None:
            outputs = self._tail.run(outputs)
        decoding = time.monotonic()
        candidates = decode(outputs, self._input_size, self._spec)
        objects = self._objects(candidates, suppress(candidates, self._spec.iou_threshold), letterbox)
        return Findings(objects, (decoding - begun) * 1e3, (time.monotonic() - decoding) * 1e3)

    def _objects(self, candidates: Candidates, kept: list[int], letterbox: Letterbox) -> tuple[DetectedObject, ...]:
        boxes = letterbox.to_image(candidates.boxes[kept])
        objects = []
        for number, box in zip(kept, boxes.tolist(), strict=True):
            left, top, right, bottom = (round(value, 1) for value in box)
            width, height = letterbox.image_width, letterbox.image_height
            objects.append(
                DetectedObject(
                    label=self._label(int(candidates.classes[number])),
                    score=round(float(candidates.scores[number]), 4),
                    box=(left, top, right, bottom),
                    box_rel=(
                        round(left / width, 5),
                        round(top / height, 5),
                        round(right / width, 5),
                        round(bottom / height, 5),
                    ),
                )
            )
        return tuple(objects)

    def _label(self, number: int) -> str:
        if not self._spec.labels:
            return str(number)
        if number >= len(self._spec.labels):
            raise ModelError(
                f"model {self._spec.name} found class {number}, but its description has {len(self._spec.labels)} labels"
            )
        return self._spec.labels[number]


def suppress(candidates: Candidates, iou_threshold: float) -> list[int]:
    """Non-maximum suppression, each class by itself: which candidates stay, best first."""
    if not len(candidates.scores):
        return []
    left, top, right, bottom = candidates.boxes.T
    kept = cv2.dnn.NMSBoxesBatched(
        list(zip(left.tolist(), top.tolist(), (right - left).tolist(), (bottom - top).tolist(), strict=True)),
        candidates.scores.tolist(),
        candidates.classes.tolist(),
        0.0,
        iou_threshold,
    )
    return sorted((int(number) for number in kept), key=lambda number: -candidates.scores[number])[:OBJECTS_CAP]
