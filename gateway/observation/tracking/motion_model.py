"""Where an object is and where it will be: a Kalman filter of constant velocity, in seconds and heights of the box.

Sources: A. Bewley et al., "Simple Online and Realtime Tracking", 2016, and Y. Zhang et al., "ByteTrack", 2022, whose
noise grows with the box's height; here with time instead of frames, as frames come when they can.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

from shared.payloads.fields import PictureBox

HORIZON_S = 5.0
"""Nothing is predicted further: who is out of sight for longer has turned or stopped."""

_MEASUREMENT_NOISE = 0.05
"""How exact a detector's box is: standard deviation of its centre, in heights."""

_ACCELERATION_NOISE = 0.5
"""How much the velocity changes within 1 s, in heights/s; people are 1.7 m high, cars 1.5 m. More would follow every
box that runs together with another's, less would lose who turns."""

_INITIAL_SPEED_NOISE = 1.5
"""What the velocity of something just discovered may be, in heights/s: a run, or a car in a street at home."""

_SIZE_LAG_S = 0.2
"""Width and height follow those that are seen with this delay: single boxes are cut off, or run together."""


@dataclass(frozen=True, slots=True)
class AxisFilter:
    """The centre along one direction: px and px/s, with their variances and covariance."""

    position: float
    velocity: float
    variance: float
    covariance: float
    velocity_variance: float

    def after(self, seconds: float, acceleration: float) -> AxisFilter:
        """As it is later; `acceleration` in px/s after 1 s."""
        noise = acceleration * acceleration * seconds
        return AxisFilter(
            self.position + seconds * self.velocity,
            self.velocity,
            self.variance
            + seconds * (2 * self.covariance + seconds * self.velocity_variance)
            + noise * seconds * seconds / 3,
            self.covariance + seconds * self.velocity_variance + noise * seconds / 2,
            self.velocity_variance + noise,
        )

    def corrected(self, measured: float, variance: float) -> AxisFilter:
        """With what was seen."""
        gain = self.variance / (self.variance + variance)
        velocity_gain = self.covariance / (self.variance + variance)
        surprise = measured - self.position
        return AxisFilter(
            self.position + gain * surprise,
            self.velocity + velocity_gain * surprise,
            (1 - gain) * self.variance,
            (1 - gain) * self.covariance,
            self.velocity_variance - velocity_gain * self.covariance,
        )


@dataclass(frozen=True, slots=True)
class Motion:
    """The state of one object when it was last seen."""

    x: AxisFilter
    y: AxisFilter
    width: float
    height: float

    @classmethod
    def from_box(cls, box: PictureBox) -> Self:
        """At the first sight."""
        x, y, width, height = _centre_and_size(box)
        variance, speed_variance = (_MEASUREMENT_NOISE * height) ** 2, (_INITIAL_SPEED_NOISE * height) ** 2
        return cls(
            AxisFilter(x, 0.0, variance, 0.0, speed_variance),
            AxisFilter(y, 0.0, variance, 0.0, speed_variance),
            width,
            height,
        )

    def after(self, seconds: float) -> Motion:
        """As it will be then, or at the horizon."""
        seconds, acceleration = min(seconds, HORIZON_S), _ACCELERATION_NOISE * self.height
        return Motion(self.x.after(seconds, acceleration), self.y.after(seconds, acceleration), self.width, self.height)

    def with_measured(self, box: PictureBox, seconds: float) -> Motion:
        """With what was seen so many seconds after it was seen last."""
        predicted = self.after(seconds)
        x, y, width, height = _centre_and_size(box)
        follow = seconds / (seconds + _SIZE_LAG_S)
        variance = (_MEASUREMENT_NOISE * self.height) ** 2
        # Who is half hidden has not moved, though the middle of what is left of him has: by half of what is hidden.
        return Motion(
            predicted.x.corrected(x, variance + ((width - self.width) / 2) ** 2),
            predicted.y.corrected(y, variance + ((height - self.height) / 2) ** 2),
            self.width + follow * (width - self.width),
            self.height + follow * (height - self.height),
        )

    @property
    def box(self) -> PictureBox:
        half_width, half_height = self.width / 2, self.height / 2
        x, y = self.x.position, self.y.position
        return PictureBox((x - half_width, y - half_height, x + half_width, y + half_height))

    @property
    def uncertainty(self) -> tuple[float, float]:
        """Standard deviation of the next measured centre along x and y, in pixels."""
        variance = (_MEASUREMENT_NOISE * self.height) ** 2
        return math.sqrt(self.x.variance + variance), math.sqrt(self.y.variance + variance)

    def scaled(self, along_x: float, along_y: float) -> Motion:
        """The same in a picture of another size."""
        return Motion(_scaled(self.x, along_x), _scaled(self.y, along_y), self.width * along_x, self.height * along_y)


def _centre_and_size(box: PictureBox) -> tuple[float, float, float, float]:
    """A box without width or height is a pixel wide or high: noise of nothing would divide by 0."""
    left, top, right, bottom = box
    return (left + right) / 2, (top + bottom) / 2, max(1.0, right - left), max(1.0, bottom - top)


def _scaled(axis: AxisFilter, by: float) -> AxisFilter:
    return AxisFilter(
        axis.position * by,
        axis.velocity * by,
        axis.variance * by * by,
        axis.covariance * by * by,
        axis.velocity_variance * by * by,
    )
