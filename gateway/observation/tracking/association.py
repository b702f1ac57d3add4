"""Associates the detections of one label with the followed objects.

Source: Y. Zhang et al., "ByteTrack: Multi-Object Tracking by Associating Every Detection Box", 2022, section 3:
first detections with high scores, then those with low scores, which may continue a track but not begin one.

Most objects overlap only one detection, so only possible pairs are computed, with plain numbers: arrays of so few
elements would take longer.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from gateway.observation.tracking.hungarian import best_pairs

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gateway.observation.tracking.motion_model import Motion
    from shared.payloads.fields import PictureBox

    WeightedPair = tuple[int, int, float]
    """The index of an object, the index of a detection, and the gain of pairing them; only gains above 0 count."""

_MIN_OVERLAP_HIGH, _MIN_OVERLAP_LOW = 0.2, 0.3
"""Smallest intersection over union of a predicted box and a detection with a high score, and with a low one."""

_MAX_DEVIATIONS = 3.0
"""Largest distance of a detection from the predicted centre, in standard deviations, if the boxes do not overlap."""

_MAX_DISTANCE, _MAX_DISTANCE_MISSED = 4.0, 1.0
"""The same in heights of the box; less for an object that the last frame has missed, as it may be a different one."""

_MAX_HEIGHT_RATIO = 1.7
"""Boxes that do not overlap are the same object only if their heights differ by less than this factor."""


class ExpectedObject(NamedTuple):
    """The predicted motion of an object, and whether the last frame has missed it."""

    motion: Motion
    missed: bool


class SeenObject(NamedTuple):
    """A detection: its box, and whether its score is high."""

    box: PictureBox
    high: bool


def associate(expected: Sequence[ExpectedObject], seen: Sequence[SeenObject]) -> dict[int, int]:
    """Return the index of the detection of each object that has one, by the index of the object."""
    pairs: dict[int, int] = {}
    if not expected or not seen:
        return pairs
    with_high, with_low = _overlaps(expected, seen)
    _pair(pairs, with_high)
    if len(pairs) < len(expected):
        _pair(pairs, with_low)
    if len(pairs) < len(expected):
        _pair(pairs, list(_nearness(expected, seen, pairs)))
    return pairs


def _pair(pairs: dict[int, int], weighted: list[WeightedPair]) -> None:
    """Add the best pairs of elements that are not paired yet."""
    taken = set(pairs.values())
    free = [(one, found, gain) for one, found, gain in weighted if gain > 0 and one not in pairs and found not in taken]
    if not free:
        return
    ones, seen = {one for one, _, _ in free}, {found for _, found, _ in free}
    if len(ones) == len(seen) == len(free):  # there is no choice
        pairs.update((one, found) for one, found, _ in free)
        return
    weights = [[0.0] * (max(seen) + 1) for _ in range(max(ones) + 1)]
    for one, found, gain in free:
        weights[one][found] = gain
    pairs.update(best_pairs(weights))


def _overlaps(
    expected: Sequence[ExpectedObject], seen: Sequence[SeenObject]
) -> tuple[list[WeightedPair], list[WeightedPair]]:
    """Return the overlapping pairs with high scores, and those with low scores.

    The gain is the amount by which their intersection over union exceeds the smallest that counts.
    """
    with_high: list[WeightedPair] = []
    with_low: list[WeightedPair] = []
    sized = [(*box, (box[2] - box[0]) * (box[3] - box[1]), high) for box, high in seen]
    for one, (motion, _) in enumerate(expected):
        left, top, right, bottom = motion.box
        area = (right - left) * (bottom - top)
        for found, (other_left, other_top, other_right, other_bottom, other_area, high) in enumerate(sized):
            if left < other_right and other_left < right and top < other_bottom and other_top < bottom:
                width = min(right, other_right) - max(left, other_left)
                common = width * (min(bottom, other_bottom) - max(top, other_top))
                overlap = common / max(area + other_area - common, 1e-9)
                if high:
                    with_high.append((one, found, overlap - _MIN_OVERLAP_HIGH))
                else:
                    with_low.append((one, found, overlap - _MIN_OVERLAP_LOW))
    return with_high, with_low


def _nearness(
    expected: Sequence[ExpectedObject], seen: Sequence[SeenObject], pairs: dict[int, int]
) -> Iterator[WeightedPair]:
    """Yield the pairs of unpaired objects and unpaired detections of high scores whose centres are near each other.

    The gain is 1 for equal centres, and falls to 0 at _MAX_DEVIATIONS.
    """
    taken = set(pairs.values())
    free = [(index, found.box) for index, found in enumerate(seen) if found.high and index not in taken]
    if not free:
        return
    for one, (motion, missed) in enumerate(expected):
        if one in pairs:
            continue
        left, top, right, bottom = motion.box
        along_x, along_y = motion.uncertainty
        expected_height = max(motion.height, 1e-9)
        farthest = expected_height * (_MAX_DISTANCE_MISSED if missed else _MAX_DISTANCE)
        for found, (other_left, other_top, other_right, other_bottom) in free:
            x, y = (left + right - other_left - other_right) / 2, (top + bottom - other_top - other_bottom) / 2
            height = max(other_bottom - other_top, 1.0)
            alike = max(height / expected_height, expected_height / height) < _MAX_HEIGHT_RATIO
            if alike and math.hypot(x, y) <= farthest:
                yield one, found, 1 - math.hypot(x / along_x, y / along_y) / _MAX_DEVIATIONS
