"""The settings and the results of a tracker. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.payloads.fields import PictureBox, RelativeBox

DEFAULT_HIGH_SCORE = 0.6
"""Default of the score from which a detection begins a track, as in ByteTrack."""


@dataclass(frozen=True, slots=True)
class TrackerSettings:
    """Settings for one camera; times in seconds."""

    max_disappeared_s: float = 5.0
    """Longest time that an object may be out of sight."""
    stationary_after_s: float = 10.0
    """Time at rest after which an object is stationary."""
    high_scores: Mapping[str, float] = field(default_factory=dict)
    """By label, the score from which a detection begins a track; detections with less may only continue one."""


class Track(NamedTuple):
    """One object at its last detection. Times are seconds of the tracker's clock."""

    id: str
    label: str
    score: float
    top_score: float
    """The highest median score so far, as in Frigate."""
    median_score: float
    """Median score of the last 10 detections; zeros are added if there are fewer than three, as in Frigate."""
    box: PictureBox
    hits: int
    """Detections so far."""
    first_seen: float
    last_seen: float
    visible: bool
    """The last frame shows it."""
    stationary: bool
    rested_s: float = 0.0
    """Time in seconds for which it had been at rest."""
    box_rel: RelativeBox | None = None
    """The box as fractions of the picture, as detected; None if the picture's size has changed since the detection."""


@dataclass(frozen=True, slots=True)
class Tracks:
    """The followed objects, and those that have ended by this call."""

    live: tuple[Track, ...]
    ended: tuple[Track, ...] = ()
