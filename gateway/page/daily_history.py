"""Records latency and throughput of the last day, minute by minute, in bounded memory. Pure: the caller gives times."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gateway.bridge.health import HARMLESS_OUTCOMES
from shared.metrics.metric_families import HistogramCounts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.payloads.frames import Outcome

KEPT_MINUTES = 24 * 60
"""Minutes that are kept: those of a day."""

MAX_MINUTE_LATENCIES = 2000
"""Latencies that are kept for the percentiles of a minute: of more than 33 frames a second, only the first ones."""

LATENCY_BOUNDS_S = (0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.5, 5.0, 10.0)
"""Bounds of the histogram of latencies: from those of a fast desktop to the deadline of a frame."""

MAX_MEASURED_CAMERAS = 256
"""Cameras with a histogram of their own: as many as have a scene."""


@dataclass(frozen=True, slots=True)
class PastMinute:
    """One minute: its begin `at` (seconds since 1970), its frames, and their latencies, None without frames."""

    at: float
    published: int
    lost: int
    median_ms: float | None
    slow_ms: float | None
    """The 95th percentile of latency: 95 of 100 frames took no longer."""


@dataclass(slots=True)
class DailyHistory:
    """Counts frames minute by minute. Times are seconds since 1970."""

    _minutes: deque[PastMinute] = field(default_factory=lambda: deque(maxlen=KEPT_MINUTES))
    _minute: int = 0
    _latencies: list[float] = field(default_factory=list)
    _published: int = 0
    _lost: int = 0
    _by_camera: dict[str, HistogramCounts] = field(default_factory=dict)

    def on_published(self, camera: str, latency_ms: float, now: float) -> None:
        """Count a published frame."""
        self._close_ended_minute(now)
        self._published += 1
        if len(self._latencies) < MAX_MINUTE_LATENCIES:
            self._latencies.append(latency_ms)
        counts = self._by_camera.get(camera)
        if counts is None:
            if len(self._by_camera) >= MAX_MEASURED_CAMERAS:
                return
            counts = self._by_camera[camera] = HistogramCounts.empty(LATENCY_BOUNDS_S)
        counts.counts[bisect_left(LATENCY_BOUNDS_S, latency_ms / 1e3)] += 1
        counts.total += latency_ms / 1e3

    def on_dropped(self, outcome: Outcome, now: float) -> None:
        """Count a dropped frame as lost, unless its outcome is harmless, such as being replaced by a newer one."""
        self._close_ended_minute(now)
        self._lost += outcome not in HARMLESS_OUTCOMES

    def minutes(self, now: float) -> list[PastMinute]:
        """Return the minutes of the last day that have ended, oldest first, as far as the gateway was running."""
        self._close_ended_minute(now)
        oldest = now - KEPT_MINUTES * 60
        return [minute for minute in self._minutes if minute.at >= oldest]

    def latencies(self) -> Mapping[str, HistogramCounts]:
        """Return the histograms of the latencies of all frames so far, by camera, in seconds."""
        return self._by_camera

    def _close_ended_minute(self, now: float) -> None:
        """Close the current minute if the next one has begun. If the clock was set back, the minute continues."""
        minute = int(now // 60)
        if minute <= self._minute:
            return
        if self._minute:
            self._minutes.append(self._finished_minute())
            # Minutes in which nothing happened are recorded as minutes without frames, so that there are no gaps.
            for silent in range(max(self._minute + 1, minute - KEPT_MINUTES), minute):
                self._minutes.append(PastMinute(silent * 60.0, 0, 0, None, None))
        self._minute, self._latencies, self._published, self._lost = minute, [], 0, 0

    def _finished_minute(self) -> PastMinute:
        found = sorted(self._latencies)
        median = round(found[len(found) // 2], 1) if found else None
        slow = round(found[min(len(found) - 1, len(found) * 95 // 100)], 1) if found else None
        return PastMinute(self._minute * 60.0, self._published, self._lost, median, slow)
