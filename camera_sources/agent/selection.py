"""Selects the pictures of a camera that are sent, and rotates and crops them. Pure: the caller gives the time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from camera_sources.agent.motion_gate import MotionGate
from camera_sources.agent.pacing import FramePacing
from camera_sources.pictures.view import turn_and_crop

if TYPE_CHECKING:
    from camera_sources.camera_settings import CameraSettings
    from shared.model.arrays import Pixels

MIN_DECODED_FPS = 1.0
"""Pictures per second that are decoded while detection is off, to check that the camera still works."""


class PictureSelection:
    """Applies frame rate, motion gate, rotation and crop; `detect` and the rate may change while it runs."""

    def __init__(self, settings: CameraSettings, *, detect: bool = True, fps: float | None = None) -> None:
        self._settings = settings
        self._motion = MotionGate(settings.motion)
        self.set_rate(detect=detect, fps=fps)

    def set_rate(self, *, detect: bool, fps: float | None) -> None:
        """Set whether to detect, and the frame rate (None: that of the settings). Callable from other threads."""
        self._fps = (fps or self._settings.fps) if detect else MIN_DECODED_FPS
        self._detect = detect
        self._pace = FramePacing(self._fps)

    def on_opened(self) -> None:
        """Restart the pacing after the source was opened, so that its first picture is selected."""
        self._pace = FramePacing(self._fps)

    def show_still_scene(self) -> None:
        """Select pictures for a while although nothing moves. Callable from other threads."""
        self._motion.hold_open()

    def motion(self, now: float) -> bool | None:
        """Return whether something moves; None while nothing is measured. Callable from other threads."""
        return self._motion.motion(now) if self._detect else None

    def wants(self, now: float) -> bool:
        """Return whether to decode a picture received at `now` (monotonic seconds)."""
        return self._pace.wants(now)

    def choose(self, picture: Pixels, now: float) -> Pixels | None:
        """Return the picture to send, rotated and cropped, uint8 BGR (H, W, 3); None if it must not be sent."""
        if not self._detect:
            return None
        chosen = turn_and_crop(picture, self._settings.rotate, self._settings.crop)
        return chosen if self._motion.passes(chosen, now) else None
