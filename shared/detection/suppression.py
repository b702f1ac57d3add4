"""Removes the candidates that are boxes of the same object, and limits their number."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from shared.detection.detections import MAX_OBJECTS_PER_FRAME

if TYPE_CHECKING:
    from shared.detection.decoding import Candidates

MAX_CANDIDATES = 3000
"""The best candidates that suppression compares: its time grows with their square, and a crowd has fewer."""


def best_candidates(candidates: Candidates) -> list[int]:
    """Return the indices of the best candidates, best first, for a family that makes one box for each object."""
    order = np.argsort(-candidates.scores, kind="stable")[:MAX_OBJECTS_PER_FRAME]
    return [int(number) for number in order]


def suppress(candidates: Candidates, iou_threshold: float) -> list[int]:
    """Apply non-maximum suppression to each class; return the indices of the candidates that stay, best first."""
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
