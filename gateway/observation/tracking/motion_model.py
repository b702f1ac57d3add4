"""Predicts the motion of an object by a Kalman filter with constant velocity, in seconds and heights of the box. Pure.

Sources: A. Bewley et al., "Simple Online and Realtime Tracking", 2016, and Y. Zhang et al., "ByteTrack", 2022, whose
noise grows with the box's height. Time is in seconds, not in frames, because frames come at varying intervals.

States are named tuples: several are made for each object in each frame, and a frozen dataclass takes twice as long.
"""

from __future__ import annotations

import math
from typing import NamedTuple, Self

from shared.payloads.fields import PictureBox

HORIZON_S = 5.0
"""The longest prediction: an object that is out of sight for longer has probably turned or stopped."""

_MEASUREMENT_NOISE = 0.05
"""Standard deviation of the centre of a detected box, in heights of the box."""

_ACCELERATION_NOISE = 0.5
"""Standard deviation of the change of velocity in 1 s, in heights/s; people are 1.7 m high, cars 1.5 m. With a larger
value a track follows every box that merges with another one; with a smaller value it loses an object that turns."""

_INITIAL_SPEED_NOISE = 1.5
"""Standard deviation of the velocity of a new object, in heights/s: a runner, or a car in a residential street."""

_SIZE_LAG_S = 0.2
"""Time constant with which width and height follow the detections: single boxes may be cut off, or merged with
others."""


class AxisFilter(NamedTuple):
    """The centre along one axis: position in px and velocity in px/s, with their variances and covariance."""

    position: float
    velocity: float
    variance: float
    covariance: float
    velocity_variance: float

    def after(self, seconds: float, acceleration: float) -> AxisFilter:
        """Return the prediction; `acceleration` is the standard deviation of the change of velocity in 1 s, in px/s."""
        position, velocity, variance, covariance, velocity_variance = self
        noise = acceleration * acceleration * seconds
        return AxisFilter(
            position + seconds * velocity,
            velocity,
            variance + seconds * (2 * covariance + seconds * velocity_variance) + noise * seconds * seconds / 3,
            covariance + seconds * velocity_variance + noise * seconds / 2,
            velocity_variance + noise,
        )

    def corrected(self, measured: float, measured_variance: float) -> AxisFilter:
        """Return the estimate, corrected by a measured position and its variance."""
        position, velocity, variance, covariance, velocity_variance = self
        gain = variance / (variance + measured_variance)
        velocity_gain = covariance / (variance + measured_variance)
        innovation = measured - position
        return AxisFilter(
            position + gain * innovation,
            velocity + velocity_gain * innovation,
            (1 - gain) * variance,
            (1 - gain) * covariance,
            velocity_variance - velocity_gain * covariance,
        )


class Motion(NamedTuple):
    """The state of one object at its last detection."""

    x: AxisFilter
    y: AxisFilter
    width: float
    height: float

    @classmethod
    def from_box(cls, box: PictureBox) -> Self:
        """Return the state after the first detection."""
        x, y, width, height = _centre_and_size(box)
        variance, speed_variance = (_MEASUREMENT_NOISE * height) ** 2, (_INITIAL_SPEED_NOISE * height) ** 2
        return cls(
            AxisFilter(x, 0.0, variance, 0.0, speed_variance),
            AxisFilter(y, 0.0, variance, 0.0, speed_variance),
            width,
            height,
        )

    def after(self, seconds: float) -> Motion:
        """Return the prediction after these seconds, at most HORIZON_S."""
        x, y, width, height = self
        seconds, acceleration = min(seconds, HORIZON_S), _ACCELERATION_NOISE * height
        return Motion(x.after(seconds, acceleration), y.after(seconds, acceleration), width, height)

    def with_measured(self, box: PictureBox, seconds: float, predicted: Motion | None = None) -> Motion:
        """Return the state after a detection, `seconds` after the last one; `predicted` is the result of `after`."""
        along_x, along_y, old_width, old_height = predicted or self.after(seconds)
        x, y, width, height = _centre_and_size(box)
        follow = seconds / (seconds + _SIZE_LAG_S)
        variance = (_MEASUREMENT_NOISE * old_height) ** 2
        # The centre of the visible part of a partly hidden object is off by half of the hidden part. Therefore the
        # variance of a measured centre grows with the difference in size.
        return Motion(
            along_x.corrected(x, variance + ((width - old_width) / 2) ** 2),
            along_y.corrected(y, variance + ((height - old_height) / 2) ** 2),
            old_width + follow * (width - old_width),
            old_height + follow * (height - old_height),
        )

    @property
    def box(self) -> PictureBox:
        """Return the box of the estimated centre and size."""
        half_width, half_height = self.width / 2, self.height / 2
        x, y = self.x.position, self.y.position
        return PictureBox((x - half_width, y - half_height, x + half_width, y + half_height))

    @property
    def uncertainty(self) -> tuple[float, float]:
        """Return the standard deviation of the next measured centre along x and y, in pixels."""
        variance = (_MEASUREMENT_NOISE * self.height) ** 2
        return math.sqrt(self.x.variance + variance), math.sqrt(self.y.variance + variance)

    def scaled(self, along_x: float, along_y: float) -> Motion:
        """Return the same motion in a picture that is larger by these factors along x and y."""
        return Motion(_scaled(self.x, along_x), _scaled(self.y, along_y), self.width * along_x, self.height * along_y)


def _centre_and_size(box: PictureBox) -> tuple[float, float, float, float]:
    """Return x, y, width and height of a box. Width and height are at least 1 pixel, as they divide and scale noise."""
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
