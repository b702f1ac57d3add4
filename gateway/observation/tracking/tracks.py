"""What a tracker is told and what it tells."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.payloads.fields import PictureBox

DEFAULT_HIGH_SCORE = 0.6
"""What begins a track where nothing else is said, as in ByteTrack."""


@dataclass(frozen=True, slots=True)
class TrackerSettings:
    """For one camera; times in seconds."""

    max_disappeared_s: float = 5.0
    """How long an object may be out of sight."""
    stationary_after_s: float = 10.0
    """How long its box has hardly moved when it is stationary."""
    high_scores: Mapping[str, float] = field(default_factory=dict)
    """By label: what is seen with less goes on with a track, but begins none."""


@dataclass(frozen=True, slots=True)
class Track:
    """One object, as it was when it was seen last. Times are seconds of the tracker's clock."""

    id: str
    label: str
    score: float
    top_score: float
    """The highest median there was, as in Frigate."""
    median_score: float
    """Of the last 10 detections, filled up with 0 to three, as in Frigate."""
    box: PictureBox
    hits: int
    """Detections so far."""
    first_seen: float
    last_seen: float
    visible: bool
    """Whether the last frame shows it."""
    stationary: bool
    rested_s: float = 0.0
    """How long its box had hardly moved."""


@dataclass(frozen=True, slots=True)
class Tracks:
    """Those that are followed, and those that are not any more since the call before."""

    live: tuple[Track, ...]
    ended: tuple[Track, ...] = ()
