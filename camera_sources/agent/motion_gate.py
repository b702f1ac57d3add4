"""Detects motion in a small grey copy of each picture, so that still scenes are not sent."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, cast

import cv2
import numpy as np

from shared.settings.polygons import is_relative

if TYPE_CHECKING:
    from collections.abc import Sequence

    from camera_sources.camera_settings import MotionSettings
    from shared.model.arrays import Pixels
    from shared.settings.polygons import Polygon

MAX_SIDE_PIXELS = 160
"""Longer side of the grey copy: large enough to see a person far away, small enough to average out noise."""

BACKGROUND_PERIOD_S = 4.0
"""Time constant of the background: objects that have stopped, and changes of light, become part of it after a few
times this period."""

DAYLIGHT, DAYLIGHT_CONTRAST = 130.0, 40.0
"""Mean and standard deviation of brightness by day, of 255. At night all differences are smaller, motion's too."""

MIN_CHANGE = 5.0
"""Smallest change that counts, of 255. Smaller ones come from the camera's encoder, which has few bits for the dark."""

NOISE_FACTOR = 4.0
"""Motion changes a pixel by at least this many times its average change without motion."""

NOISE_PERIOD_S = 20.0
"""Time constant of the average change of each pixel, by which sensor noise, rain and leaves are recognised."""

MIN_MOTION_S = 1.0
"""Motion is reported for at least this time, so that at least one of the reports, two a second, includes it."""

Grey = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]
Level = np.ndarray[tuple[int, ...], np.dtype[np.float32]]


class MotionGate:
    """Passes pictures on while something moves, for `hold` seconds after, and every `keep_alive` seconds."""

    def __init__(self, settings: MotionSettings) -> None:
        self._settings = settings
        self._background: Level | None = None
        self._noise: Level | None = None
        self._counted: Grey | None = None
        self._shape: tuple[int, ...] = ()
        self._seen_at = -math.inf
        self._moved_at = -math.inf
        self._opened_at = -math.inf
        self._passed_at = -math.inf
        self._held_open = True

    def hold_open(self) -> None:
        """Pass all pictures for the next `hold` seconds, for a receiver that does not know the scene."""
        self._held_open = True

    def motion(self, now: float) -> bool | None:
        """Return whether something moves at `now`, or has moved within the last `hold` seconds; None if not known.

        Callable from other threads.
        """
        if not self._settings.enabled or self._background is None:
            return None
        return now - self._moved_at <= max(self._settings.hold, MIN_MOTION_S)

    def passes(self, picture: Pixels, now: float) -> bool:
        """Return whether to send on a picture, uint8 BGR (H, W, 3), received at `now` (monotonic seconds)."""
        if not self._settings.enabled:
            return True
        if self._moves(picture, now):
            self._moved_at = now
        if self._held_open:
            self._opened_at, self._held_open = now, False
        held = now - max(self._moved_at, self._opened_at) <= self._settings.hold
        if held or now - self._passed_at >= self._settings.keep_alive:
            self._passed_at = now
            return True
        return False

    def _moves(self, picture: Pixels, now: float) -> bool:
        grey = _small_grey(picture).astype(np.float32)
        if self._background is None or self._noise is None or picture.shape != self._shape:
            self._background, self._noise, self._shape = grey, np.zeros_like(grey), picture.shape
            self._counted = _counted_pixels(picture.shape, grey.shape, self._settings.mask)
            self._seen_at, self._passed_at = now, -math.inf
            return False
        since_s, self._seen_at = now - self._seen_at, now
        change = cv2.absdiff(grey, self._background)
        least = self._least_change(self._background)
        over = change >= np.maximum(NOISE_FACTOR * self._noise, least)
        moving = np.where(over & (self._counted != 0), np.uint8(255), np.uint8(0))
        # Motion is counted as noise, too, but at most as the least change, so that frequent motion is still detected.
        cv2.accumulateWeighted(np.minimum(change, least), self._noise, 1 - math.exp(-since_s / NOISE_PERIOD_S))
        cv2.accumulateWeighted(grey, self._background, 1 - math.exp(-since_s / BACKGROUND_PERIOD_S))
        return _largest_patch(moving) >= self._settings.contour_area * moving.size

    def _least_change(self, background: Level) -> float:
        """Return the change, of 255, that is motion in a pixel without noise: the threshold by day, less at night."""
        light = max(float(background.mean()) / DAYLIGHT, float(background.std()) / DAYLIGHT_CONTRAST)
        return min(float(self._settings.threshold), max(MIN_CHANGE, self._settings.threshold * light))


def _small_grey(picture: Pixels) -> Grey:
    """Return a grey, smoothed copy of a picture, uint8 (h, w), with sides of at most MAX_SIDE_PIXELS."""
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    # Halving repeatedly is several times faster than a single step.
    while min(grey.shape) > 1 and max(grey.shape) >= 4 * MAX_SIDE_PIXELS:
        grey = cv2.resize(grey, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    height, width = grey.shape
    scale = min(1.0, MAX_SIDE_PIXELS / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    return cast("Grey", cv2.GaussianBlur(small, (3, 3), 0))


def _largest_patch(moving: Grey) -> int:
    """Return the number of pixels of the largest connected patch; patches that nearly touch are joined before."""
    if not moving.any():
        return 0
    joined = cv2.morphologyEx(moving, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    _, _, figures, _ = cv2.connectedComponentsWithStats(joined)
    return int(figures[1:, cv2.CC_STAT_AREA].max(initial=0))


def _counted_pixels(picture: tuple[int, ...], small: tuple[int, ...], masks: Sequence[Polygon]) -> Grey:
    """Return a map, uint8 (H, W), that is 0 where a mask hides motion, else 255."""
    counting = np.full(small[:2], 255, np.uint8)
    height, width = picture[:2]
    for mask in masks:
        size = (1, 1) if is_relative(mask) else (width, height)
        corners = [(x / size[0] * small[1] - 0.5, y / size[1] * small[0] - 0.5) for x, y in mask]
        cv2.fillPoly(counting, [np.rint(corners).astype(np.int32)], 0)
    return counting
