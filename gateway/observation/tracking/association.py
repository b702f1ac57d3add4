"""Associates the detections of one label with the followed objects.

Source: Y. Zhang et al., "ByteTrack: Multi-Object Tracking by Associating Every Detection Box", 2022, section 3:
first detections with high scores, then those with low scores, which continue a track but begin none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gateway.observation.tracking.hungarian import best_pairs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from gateway.observation.tracking.motion_model import Motion
    from shared.payloads.fields import PictureBox

    Numbers = NDArray[np.float64]

_MIN_OVERLAP_HIGH, _MIN_OVERLAP_LOW = 0.2, 0.3
"""Smallest intersection over union of a predicted box and a detection with a high or a low score."""

_MAX_DEVIATIONS = 3.0
"""Largest distance of a detection from the predicted centre, in standard deviations, if the boxes do not overlap."""

_MAX_DISTANCE, _MAX_DISTANCE_MISSED = 4.0, 1.0
"""The same in heights of the box; less for an object that the last frame has missed: it may be another one."""

_MAX_HEIGHT_RATIO = 1.7
"""Boxes that do not overlap are the same object only if their heights differ by less than this factor."""


@dataclass(frozen=True, slots=True)
class ExpectedObject:
    """The predicted motion of an object, and whether the last frame has missed it."""

    motion: Motion
    missed: bool


@dataclass(frozen=True, slots=True)
class SeenObject:
    """A detection: its box, and whether its score is high."""

    box: PictureBox
    high: bool


def associate(expected: Sequence[ExpectedObject], seen: Sequence[SeenObject]) -> dict[int, int]:
    """Return the index of the detection of each object that has one, by the index of the object."""
    if not expected or not seen:
        return {}
    predictions, boxes = np.array([e.motion.box for e in expected]), np.array([s.box for s in seen])
    high = np.array([s.high for s in seen])
    overlap = _overlap(predictions, boxes)
    pairs: dict[int, int] = {}
    _pair(pairs, np.where(high, overlap - _MIN_OVERLAP_HIGH, 0))
    if len(pairs) < len(expected) and not high.all():
        _pair(pairs, np.where(high, 0, overlap - _MIN_OVERLAP_LOW))
    if len(pairs) < len(expected) and np.delete(high, list(pairs.values())).any():
        _pair(pairs, np.where(high, _nearness(expected, predictions, boxes), 0))
    return pairs


def _pair(pairs: dict[int, int], weights: Numbers) -> None:
    """Add pairs of unpaired elements with positive weights. Changes `weights`."""
    weights[list(pairs), :] = 0
    weights[:, list(pairs.values())] = 0
    pairs.update(best_pairs(weights))


def _overlap(ones: Numbers, others: Numbers) -> Numbers:
    """Return the intersection over union of boxes (N, 4) and (M, 4), as (N, M)."""
    a, b = ones[:, None, :], others[None, :, :]
    sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    common = np.maximum(sides, 0).prod(axis=-1)
    areas = (a[..., 2:] - a[..., :2]).prod(axis=-1) + (b[..., 2:] - b[..., :2]).prod(axis=-1)
    return np.asarray(common / np.maximum(areas - common, 1e-9))


def _nearness(expected: Sequence[ExpectedObject], predictions: Numbers, boxes: Numbers) -> Numbers:
    """Return 1 for equal centres, 0 or less for centres out of reach or unequal heights, as (N, M)."""
    apart = (predictions[:, None, :2] + predictions[:, None, 2:] - boxes[None, :, :2] - boxes[None, :, 2:]) / 2
    uncertainty = np.array([e.motion.uncertainty for e in expected])
    deviations = np.hypot(*np.moveaxis(apart / uncertainty[:, None, :], -1, 0))
    high = np.array([e.motion.height for e in expected])[:, None]
    farthest = high * np.array([_MAX_DISTANCE_MISSED if e.missed else _MAX_DISTANCE for e in expected])[:, None]
    heights = np.maximum(boxes[:, 3] - boxes[:, 1], 1)[None, :]
    alike = np.maximum(heights / high, high / heights) < _MAX_HEIGHT_RATIO
    near = np.hypot(apart[..., 0], apart[..., 1]) <= farthest
    return np.where(alike & near, 1 - deviations / _MAX_DEVIATIONS, 0)
