"""Still scenes cost nothing: whether something moves in a small grey picture of what the camera sees."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, cast

import cv2
import numpy as np

from shared.settings.polygons import in_parts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from camera_sources.camera_settings import Motion
    from shared.model.arrays import Pixels
    from shared.settings.polygons import Polygon

SIDE = 160
"""Pixels of the longer side that is looked at: a person far away is a few of them, noise is averaged out."""

ABSORBED_S = 4.0
"""Something that has come to rest belongs to the background after some of these, as does a change of light."""

DAYLIGHT, DAYLIGHT_CONTRAST = 130.0, 40.0
"""Mean and standard deviation of brightness in most scenes by day; by night all differs less, also what moves."""

LEAST_CHANGE = 5.0
"""Of 255: below are the steps of a camera's encoder, which has few bits for the dark."""

NOISE_FACTOR = 4.0
"""Motion is more than so many times what a pixel changes on the average without any."""

NOISE_S = 20.0
"""What a pixel changes without motion is learnt in about so long: sensors, rain, leaves."""

Grey = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]
Level = np.ndarray[tuple[int, ...], np.dtype[np.float32]]


class MotionGate:
    """Lets pictures pass while something moves, for a while after, and now and then all the same."""

    def __init__(self, settings: Motion) -> None:
        self._settings = settings
        self._background: Level | None = None
        self._noise: Level | None = None
        self._counts: Grey | None = None
        self._shape: tuple[int, ...] = ()
        self._seen_at = -math.inf
        self._moved_at = -math.inf
        self._passed_at = -math.inf
        self._look = True

    def look(self) -> None:
        """Let pictures pass for a while although nothing moves: whoever looks at them does not know the scene."""
        self._look = True

    def passes(self, picture: Pixels, now: float) -> bool:
        """Whether to send on a picture, uint8 BGR (H, W, 3), that came at `now` (seconds, never going back)."""
        if not self._settings.enabled:
            return True
        if self._moves(picture, now) or self._look:
            self._moved_at, self._look = now, False
        held = now - self._moved_at <= self._settings.hold
        if held or now - self._passed_at >= self._settings.keep_alive:
            self._passed_at = now
            return True
        return False

    def _moves(self, picture: Pixels, now: float) -> bool:
        grey = _small(picture).astype(np.float32)
        if self._background is None or self._noise is None or picture.shape != self._shape:
            self._background, self._noise, self._shape = grey, np.zeros_like(grey), picture.shape
            self._counts = _counting(picture.shape, grey.shape, self._settings.mask)
            self._seen_at, self._passed_at = now, -math.inf
            return False
        since_s, self._seen_at = now - self._seen_at, now
        change = cv2.absdiff(grey, self._background)
        least = self._least_change(self._background)
        over = change >= np.maximum(NOISE_FACTOR * self._noise, least)
        moving = np.where(over & (self._counts != 0), np.uint8(255), np.uint8(0))
        # What moves is learnt like noise, but never as more than the least change: who passes often is still seen.
        cv2.accumulateWeighted(np.minimum(change, least), self._noise, 1 - math.exp(-since_s / NOISE_S))
        cv2.accumulateWeighted(grey, self._background, 1 - math.exp(-since_s / ABSORBED_S))
        return _largest_patch(moving) >= self._settings.contour_area * moving.size

    def _least_change(self, background: Level) -> float:
        """Return how much a pixel without noise must change: what is set for daylight, and less in the dark."""
        light = max(float(background.mean()) / DAYLIGHT, float(background.std()) / DAYLIGHT_CONTRAST)
        return min(float(self._settings.threshold), max(LEAST_CHANGE, self._settings.threshold * light))


def _small(picture: Pixels) -> Grey:
    """At most SIDE pixels a side, grey, smoothed."""
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    while min(grey.shape) > 1 and max(grey.shape) >= 4 * SIDE:  # halving is several times faster than all in one step
        grey = cv2.resize(grey, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    height, width = grey.shape
    scale = min(1.0, SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    return cast("Grey", cv2.GaussianBlur(small, (3, 3), 0))


def _largest_patch(moving: Grey) -> int:
    """Pixels of the largest connected patch; parts of one thing that nearly touch are one."""
    if not moving.any():
        return 0
    joined = cv2.morphologyEx(moving, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    _, _, figures, _ = cv2.connectedComponentsWithStats(joined)
    return int(figures[1:, cv2.CC_STAT_AREA].max(initial=0))


def _counting(picture: tuple[int, ...], small: tuple[int, ...], masks: Sequence[Polygon]) -> Grey:
    """Where motion counts: not 0."""
    counting = np.full(small[:2], 255, np.uint8)
    height, width = picture[:2]
    for mask in masks:
        whole = (1, 1) if in_parts(mask) else (width, height)
        corners = [(x / whole[0] * small[1] - 0.5, y / whole[1] * small[0] - 0.5) for x, y in mask]
        cv2.fillPoly(counting, [np.rint(corners).astype(np.int32)], 0)
    return counting
