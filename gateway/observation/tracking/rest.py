"""Detects objects at rest, whose boxes jitter and may be partly hidden, but stay in one place. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from shared.payloads.fields import PictureBox

_MAX_SAMPLES = 10
"""The place of rest is the mean of this many boxes: enough to average the jitter, few enough to be known soon."""

_MIN_COMMON_TWICE = 0.7
"""Smallest common area of a box and the place of rest, as a share of the smaller one of both. Two boxes in a row with
less mean that the object has moved."""

_MIN_COMMON_ONCE = 0.3
"""The same for a single box: jitter is never so large that less is in common."""

_MIN_GROWTH, _MAX_GROWTH = 0.35, 1.8
"""Limits of a box's area, as a share of the area of the place. Two boxes in a row beyond them mean that the object has
moved in depth. Smaller boxes are tolerated more than larger ones, because a partly hidden object has a smaller box."""


@dataclass(slots=True)
class Rest:
    """The place of an object, and the time, in seconds of the tracker's clock, since which it has been there."""

    place: PictureBox
    since: float
    _samples: int = 1
    _doubtful: bool = False

    def see(self, box: PictureBox, at: float) -> None:
        """Process a detected box of the object at the time `at`."""
        common, area, place_area = _common_and_areas(box, self.place)
        part, growth = common / max(min(area, place_area), 1e-9), area / max(place_area, 1e-9)
        doubtful = part < _MIN_COMMON_TWICE or not _MIN_GROWTH <= growth <= _MAX_GROWTH
        if part < _MIN_COMMON_ONCE or (doubtful and self._doubtful):
            self.place, self.since, self._samples, self._doubtful = box, at, 1, False
            return
        self._doubtful = doubtful
        if not doubtful and self._samples < _MAX_SAMPLES:
            self._samples += 1
            left, top, right, bottom = [
                mean + (side - mean) / self._samples for mean, side in zip(self.place, box, strict=True)
            ]
            self.place = PictureBox((left, top, right, bottom))

    def scaled(self, along_x: float, along_y: float) -> Rest:
        """Return the same place in a picture that is larger by these factors along x and y."""
        left, top, right, bottom = self.place
        place = PictureBox((left * along_x, top * along_y, right * along_x, bottom * along_y))
        return Rest(place, self.since, self._samples, self._doubtful)


def _common_and_areas(one: PictureBox, other: PictureBox) -> tuple[float, float, float]:
    """Return the area that two boxes have in common, and their own areas."""
    left, top, right, bottom = one
    other_left, other_top, other_right, other_bottom = other
    width = min(right, other_right) - max(left, other_left)
    height = min(bottom, other_bottom) - max(top, other_top)
    common = width * height if width > 0 and height > 0 else 0.0
    return common, (right - left) * (bottom - top), (other_right - other_left) * (other_bottom - other_top)
