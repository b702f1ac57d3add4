"""Which pictures of a camera are sent on, and what of them. Pure: time is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from camera_sources.agent.motion_gate import MotionGate
from camera_sources.agent.pacing import Pace
from camera_sources.pictures.view import view

if TYPE_CHECKING:
    from camera_sources.camera_settings import CameraSettings
    from shared.model.arrays import Pixels

CHECK_FPS = 1.0
"""While nothing is detected, so many pictures a second are decoded all the same: to know that they can be."""


class Selection:
    """The settings at work: frame rate, rotation and crop, motion; `detect` and the rate change while it runs."""

    def __init__(self, settings: CameraSettings, *, detect: bool = True, fps: float | None = None) -> None:
        self._settings = settings
        self._motion = MotionGate(settings.motion)
        self.instruct(detect=detect, fps=fps)

    def instruct(self, *, detect: bool, fps: float | None) -> None:
        """From now on; `fps` in the place of that of the settings, None: that one. May come from another thread."""
        self._fps = (fps or self._settings.fps) if detect else CHECK_FPS
        self._detect = detect
        self._pace = Pace(self._fps)

    def begin(self) -> None:
        """The source was opened again: its first picture is wanted."""
        self._pace = Pace(self._fps)

    def look(self) -> None:
        """Send pictures on for a while although nothing moves. May come from another thread."""
        self._motion.look()

    def wants(self, now: float) -> bool:
        """Whether a picture that came at `now` (seconds of a clock that never goes back) is worth decoding."""
        return self._pace.wants(now)

    def choose(self, picture: Pixels, now: float) -> Pixels | None:
        """What of a picture, uint8 BGR (H, W, 3), is sent on; None: nothing."""
        if not self._detect:
            return None
        chosen = view(picture, self._settings.rotate, self._settings.crop)
        return chosen if self._motion.passes(chosen, now) else None
