"""From the maps at the cut to the objects in the picture: tail, decoding, suppression."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from gateway.models.decoding import Candidates, decode
from gateway.models.decoding.labels import label_of
from gateway.models.decoding.recognition import family_of, output_shapes
from shared.errors import ModelError
from shared.finite import all_finite
from shared.payloads.cluster import DetectedObject

if TYPE_CHECKING:
    from gateway.planning.partitioned import PartitionedModel
    from shared.model.arrays import FeatureMap
    from shared.model.letterbox import Letterbox

log = logging.getLogger(__name__)

OBJECTS_CAP = 300
"""Objects in one frame: more is a broken model, not a crowd."""

CANDIDATES_CAP = 3000
"""Candidates that are compared with each other, the best ones: time grows with their square, and a crowd has fewer."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What was seen, best first, and how long the two steps took."""

    objects: tuple[DetectedObject, ...]
    tail_ms: float
    decode_ms: float


class Detector:
    """Everything behind the cut. Not safe for several threads at once.

    Raises ModelError when it is made and no decoder reads the network's outputs.
    """

    def __init__(self, partitioned: PartitionedModel, threads: int) -> None:
        self._spec = partitioned.spec
        self._cut = partitioned.stage.cut
        self._input_size = partitioned.model.network.input_size
        self._broken_seen = False
        model = partitioned.model
        if model.unreadable:
            raise ModelError(model.unreadable)
        family = family_of(model.outputs or output_shapes(model.network), self._input_size, self._spec)
        self._overlapping = family.overlapping
        self._tail = partitioned.tail(threads)

    def detect(self, maps: list[FeatureMap], letterbox: Letterbox) -> Findings:
        """From maps at the cut, float32 (1, C, H, W); `letterbox` tells where the picture lies in the input.

        Raises ModelError when values of the outputs are no numbers: that is not the same as nothing seen.
        """
        begun = time.monotonic()
        outputs = dict(zip(self._cut, maps, strict=True))
        if self._tail is not None:
            outputs = self._tail.run(outputs)
        if not all_finite(outputs.values()):
            raise ModelError(f"outputs of model {self._spec.name} are no numbers; the frame is dropped")
        decoding = time.monotonic()
        candidates = decode(outputs, self._input_size, self._spec)
        if candidates.broken and not self._broken_seen:
            self._broken_seen = True
            log.warning(
                "model %s: %s of its candidates are dropped, as their boxes or scores are impossible; is it described "
                "rightly? (told once)",
                self._spec.name, candidates.broken,
            )  # fmt: skip
        kept = suppress(candidates, self._spec.iou_threshold) if self._overlapping else best_of(candidates)
        objects = self._objects(candidates, kept, letterbox)
        return Findings(objects, (decoding - begun) * 1e3, (time.monotonic() - decoding) * 1e3)

    def _objects(self, candidates: Candidates, kept: list[int], letterbox: Letterbox) -> tuple[DetectedObject, ...]:
        boxes = letterbox.to_image(candidates.boxes[kept])
        objects = []
        for number, box in zip(kept, boxes.tolist(), strict=True):
            left, top, right, bottom = (round(value, 1) for value in box)
            if right <= left or bottom <= top:  # it lies beside the picture, or is thinner than can be told
                continue
            width, height = letterbox.image_width, letterbox.image_height
            objects.append(
                DetectedObject(
                    label=label_of(int(candidates.classes[number]), self._spec.labels),
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


def best_of(candidates: Candidates) -> list[int]:
    """Return the best candidates of a family whose boxes are one for each object, best first."""
    order = np.argsort(-candidates.scores, kind="stable")[:OBJECTS_CAP]
    return [int(number) for number in order]


def suppress(candidates: Candidates, iou_threshold: float) -> list[int]:
    """Non-maximum suppression, each class by itself: which of the best candidates stay, best first."""
    if not len(candidates.scores):
        return []
    best = np.argsort(-candidates.scores, kind="stable")[:CANDIDATES_CAP]
    # OpenCV keeps classes apart by moving their boxes, which works when none lies left of or above 0.
    left, top, right, bottom = (candidates.boxes[best] - candidates.boxes[best].min()).T
    kept = cv2.dnn.NMSBoxesBatched(
        list(zip(left.tolist(), top.tolist(), (right - left).tolist(), (bottom - top).tolist(), strict=True)),
        candidates.scores[best].tolist(),
        candidates.classes[best].tolist(),
        0.0,
        iou_threshold,
    )
    return [int(best[number]) for number in sorted(kept)][:OBJECTS_CAP]
