"""Whether an object is at rest: its box has hardly moved, however it trembles or is hidden in part."""

from __future__ import annotations

from dataclasses import dataclass

from shared.payloads.fields import PictureBox

_MAX_SAMPLES = 10
"""Boxes whose mean is the place of rest: enough for the detector's trembling, few enough to be known soon."""

_MIN_COMMON_TWICE = 0.7
"""Moved when two boxes in a row have less of them in common with the place of rest, of the smaller of both areas."""

_MIN_COMMON_ONCE = 0.3
"""Moved when a single one has: no trembling is so large."""

_MIN_GROWTH, _MAX_GROWTH = 0.35, 1.8
"""Moved, towards the camera or away from it, when two in a row have areas beyond these, of that of the place.

What is hidden makes a box smaller, nothing but nearness makes it larger: so one is tolerated more than the other.
"""


@dataclass(slots=True)
class Rest:
    """The place where an object has been since a time, in seconds."""

    place: PictureBox
    since: float
    _samples: int = 1
    _doubtful: bool = False

    def see(self, box: PictureBox, at: float) -> None:
        """The object is here now."""
        common, area, place_area = _common(box, self.place), _area(box), _area(self.place)
        part, growth = common / max(min(area, place_area), 1e-9), area / max(place_area, 1e-9)
        doubtful = part < _MIN_COMMON_TWICE or not _MIN_GROWTH <= growth <= _MAX_GROWTH
        if part < _MIN_COMMON_ONCE or (doubtful and self._doubtful):
            self.place, self.since, self._samples, self._doubtful = box, at, 1, False
            return
        self._doubtful = doubtful
        if not doubtful and self._samples < _MAX_SAMPLES:
            self._samples += 1
            left, top, right, bottom = (
                there + (here - there) / self._samples for there, here in zip(self.place, box, strict=True)
            )
            self.place = PictureBox((left, top, right, bottom))

    def scaled(self, along_x: float, along_y: float) -> Rest:
        """The same in a picture of another size."""
        left, top, right, bottom = self.place
        place = PictureBox((left * along_x, top * along_y, right * along_x, bottom * along_y))
        return Rest(place, self.since, self._samples, self._doubtful)


def _common(one: PictureBox, other: PictureBox) -> float:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    return max(0.0, width) * max(0.0, height)


def _area(box: PictureBox) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])
