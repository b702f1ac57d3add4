"""Whether a camera sends the same picture again and again. Pure: time is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from shared.model.arrays import Pixels

STEP = 8
"""Every so many pixels of each side are compared: a sensor's noise changes some of them in every picture."""

LEAST_CONTRAST = 4.0
"""Standard deviation of brightness; what is darker or more even than that, as at night, can be equal in good order."""


LEAST_PICTURES = 5
"""Equal ones; a camera that is asked seldom has not shown more in a long time."""


class Stillness:
    """Compares pictures: how long they have been equal bit by bit, which no scene before a real sensor is."""

    def __init__(self) -> None:
        self._sample: Pixels | None = None
        self._since = 0.0
        self._equal = 0

    def seconds(self, picture: Pixels, now: float) -> float:
        """Return for how long pictures like this one, uint8 BGR (H, W, 3), have come; `now` in monotonic seconds."""
        sample = picture[::STEP, ::STEP]
        same = self._sample is not None and np.array_equal(sample, self._sample)
        if not same or float(sample.std()) < LEAST_CONTRAST:
            self._sample, self._since, self._equal = sample.copy(), now, 0
        self._equal += 1
        return now - self._since if self._equal >= LEAST_PICTURES else 0.0
