"""From the maps at the cut to the objects in the picture: tail, decoding, suppression."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from gateway.models.decoding import Candidates, decode
from gateway.models.decoding.labels import class_label
from gateway.models.decoding.recognition import family_of, output_shapes
from shared.errors import ModelError
from shared.finite import all_finite
from shared.payloads.cluster import DetectedObject

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.models.catalogue import Model
    from shared.engine.sessions import NetworkSession
    from shared.model.arrays import FeatureMap
    from shared.model.letterbox import Letterbox

log = logging.getLogger(__name__)

MAX_OBJECTS_PER_FRAME = 300
"""Objects in one frame: more is a broken model, not a crowd."""

MAX_CANDIDATES = 3000
"""Candidates that are compared with each other, the best ones: time grows with their square, and a crowd has fewer."""


@dataclass(frozen=True, slots=True)
class DetectionResult:
    """What was seen, best first, and how long the two steps took."""

    objects: tuple[DetectedObject, ...]
    tail_ms: float
    decode_ms: float


class Detector:
    """Everything behind the cut. Not safe for several threads at once.

    Raises ModelError when it is made and no decoder reads the network's outputs.
    """

    def __init__(self, model: Model, cut: Sequence[str], tail: NetworkSession | None) -> None:
        """`cut` names the maps that detect() gets; `tail` runs the layers behind them, None when there are none."""
        self._spec = model.spec
        self._cut = cut
        self._tail = tail
        self._input_size = model.network.input_size
        self._has_warned = False
        if model.unreadable:
            raise ModelError(model.unreadable)
        family = family_of(model.outputs or output_shapes(model.network), self._input_size, self._spec)
        self._overlapping = family.overlapping

    def detect(self, maps: list[FeatureMap], letterbox: Letterbox) -> DetectionResult:
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
        if candidates.invalid_count and not self._has_warned:
            self._has_warned = True
            log.warning(
                "model %s: %s of its candidates are dropped, as their boxes or scores are impossible; is it described "
                "rightly? (told once)",
                self._spec.name, candidates.invalid_count,
            )  # fmt: skip
        kept = suppress(candidates, self._spec.iou_threshold) if self._overlapping else best_candidates(candidates)
        objects = self._objects(candidates, kept, letterbox)
        return DetectionResult(objects, (decoding - begun) * 1e3, (time.monotonic() - decoding) * 1e3)

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
                    label=class_label(int(candidates.classes[number]), self._spec.labels),
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


def best_candidates(candidates: Candidates) -> list[int]:
    """Return the best candidates of a family whose boxes are one for each object, best first."""
    order = np.argsort(-candidates.scores, kind="stable")[:MAX_OBJECTS_PER_FRAME]
    return [int(number) for number in order]


def suppress(candidates: Candidates, iou_threshold: float) -> list[int]:
    """Non-maximum suppression, each class by itself: which of the best candidates stay, best first."""
    if not len(candidates.scores):
        return []
    best = np.argsort(-candidates.scores, kind="stable")[:MAX_CANDIDATES]
    # OpenCV keeps classes apart by moving their boxes, which works when none lies left of or above 0.
    left, top, right, bottom = (candidates.boxes[best] - candidates.boxes[best].min()).T
    kept = cv2.dnn.NMSBoxesBatched(
        list(zip(left.tolist(), top.tolist(), (right - left).tolist(), (bottom - top).tolist(), strict=True)),
        candidates.scores[best].tolist(),
        candidates.classes[best].tolist(),
        0.0,
        iou_threshold,
    )
    return [int(best[number]) for number in sorted(kept)][:MAX_OBJECTS_PER_FRAME]
