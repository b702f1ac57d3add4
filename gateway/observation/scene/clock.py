"""A steady clock, derived from the frame times of a camera whose own clock may be set at any moment. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from shared.payloads.frames import session_of

_MAX_CLOCK_DIFFERENCE_S = 5.0
"""If the times between two frames, by the clocks of camera and gateway, differ by more, the camera's clock was set.
Without that they differ by some seconds at most, the delay of a frame by its edge and its tiles."""

MAX_PAUSE_S = 60.0
"""A longer time without a frame is not counted, because it is unknown what happened meanwhile."""

_MIN_STEP_S = 0.001
"""The least time between two frames, so that no two frames have the same time."""


@dataclass(slots=True)
class CameraClock:
    """The clock of one camera. It only moves forward; it starts at the time of the first frame."""

    at: float | None = None
    """The last frame's time by this clock; None before the first."""
    _session: str = ""
    _number: int = -1
    _captured_at: float = 0.0
    _received_at: float = 0.0

    def is_late(self, frame: str, number: int, captured_at: float) -> bool:
        """Return whether a frame was captured before the last one (it arrives out of order)."""
        same_session = self.at is not None and session_of(frame) == self._session
        return same_session and (number < self._number or (number == self._number and captured_at <= self._captured_at))

    def tick(self, frame: str, number: int, captured_at: float, received_at: float, usual_s: float) -> float:
        """Advance to a frame that is not late, and return its time.

        `captured_at` is from the camera's clock, `received_at` from a monotonic clock of the gateway, both in seconds;
        `usual_s` is the usual time between frames.
        """
        if self.at is None:
            self.at = captured_at
        else:
            step_s, received_s = captured_at - self._captured_at, received_at - self._received_at
            if step_s <= 0 or abs(step_s - received_s) > _MAX_CLOCK_DIFFERENCE_S:  # the camera's clock was set
                step_s = received_s if received_s > 0 else usual_s
            if step_s > MAX_PAUSE_S:
                step_s = min(usual_s or 1.0, MAX_PAUSE_S)
            self.at += max(step_s, _MIN_STEP_S)
        self._session, self._number = session_of(frame), number
        self._captured_at, self._received_at = captured_at, received_at
        return self.at

    def since_received(self, now: float) -> float:
        """Return the seconds from the last frame until `now`, by the gateway's clock."""
        return max(0.0, now - self._received_at) if self.at is not None else 0.0
