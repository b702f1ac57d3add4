"""Medians of the times that the parts of a frame's way take, for `bridge/health`. Pure: the caller gives the time."""

from __future__ import annotations

from collections import deque
from statistics import median

from shared.payloads.bridge import FrameTime

MAX_TIMED_FRAMES = 64
"""The medians are of this many frames at most: some seconds of a busy home."""

MIN_TIMED_FRAMES = 8
"""With fewer frames nothing is reported: the first frames after a start take longer than all others."""

TIMED_FRAMES_TTL_S = 600.0
"""Older frames do not count. It is long because a camera with a still scene has only two frames a minute."""

FRAME_TIME_PERIOD_S = 10.0
"""Medians are reported at most this often."""

MIN_FRAME_TIME_CHANGE, MIN_FRAME_TIME_CHANGE_MS = 0.25, 5.0
"""New medians are reported only if one differs by more than this part of the whole time, and by more than this time;
smaller differences are noise."""


class FrameDurations:
    """Keeps the times of the newest frames. Time is monotonic seconds."""

    def __init__(self) -> None:
        self._frames: deque[tuple[float, FrameTime]] = deque(maxlen=MAX_TIMED_FRAMES)
        self._reported: FrameTime | None = None
        self._reported_at = float("-inf")

    def add(self, time: FrameTime, now: float) -> None:
        """Add a published frame."""
        self._frames.append((now, time))

    def report(self, now: float) -> FrameTime | None:
        """Return the medians; the last reported ones while they have not changed much; None for too few frames."""
        while self._frames and now - self._frames[0][0] > TIMED_FRAMES_TTL_S:
            self._frames.popleft()
        if len(self._frames) < MIN_TIMED_FRAMES:
            self._reported, self._reported_at = None, float("-inf")
        elif now - self._reported_at >= FRAME_TIME_PERIOD_S:
            current = self._medians()
            if self._reported is None or _differ(self._reported, current):
                self._reported, self._reported_at = current, now
        return self._reported

    def _medians(self) -> FrameTime:
        times = [time.model_dump() for _, time in self._frames]
        return FrameTime(**{part: round(median(time[part] for time in times), 1) for part in FrameTime.model_fields})


def _differ(before: FrameTime, now: FrameTime) -> bool:
    """Return whether any part has changed by more than MIN_FRAME_TIME_CHANGE of the total time."""
    limit = max(MIN_FRAME_TIME_CHANGE_MS, MIN_FRAME_TIME_CHANGE * max(before.total_ms, now.total_ms))
    return any(abs(getattr(before, part) - getattr(now, part)) > limit for part in FrameTime.model_fields)
