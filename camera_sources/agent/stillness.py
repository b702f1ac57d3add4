"""Detects a camera that sends the same picture again and again. Pure: the caller gives the time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from shared.model.arrays import Pixels

SAMPLE_STEP = 8
"""Only every eighth pixel of each side is compared; that is enough, as sensor noise changes some in every picture."""

MIN_CONTRAST = 4.0
"""Pictures with a lower standard deviation of brightness, as at night, may be equal although the camera works."""

MIN_EQUAL_PICTURES = 5
"""Fewer equal pictures do not count: a camera with a low frame rate may need a long time for them."""


class Stillness:
    """Measures for how long all pictures have been identical, which pictures of a real sensor never are."""

    def __init__(self) -> None:
        self._sample: Pixels | None = None
        self._since = 0.0
        self._equal = 0

    def equal_for_s(self, picture: Pixels, now: float) -> float:
        """Return the seconds for which all pictures have been equal to this one, uint8 BGR (H, W, 3).

        `now` is in monotonic seconds.
        """
        sample = picture[::SAMPLE_STEP, ::SAMPLE_STEP]
        same = self._sample is not None and np.array_equal(sample, self._sample)
        if not same or float(sample.std()) < MIN_CONTRAST:
            self._sample, self._since, self._equal = sample.copy(), now, 0
        self._equal += 1
        return now - self._since if self._equal >= MIN_EQUAL_PICTURES else 0.0
