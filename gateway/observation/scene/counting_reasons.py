"""Explains why an object counts or does not count. Pure; it is computed only on request."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.observation.tracking.tracks import Track
    from shared.payloads.cluster import DetectedObject
    from shared.payloads.fields import RelativeBox

MAX_UNCOUNTED_OBJECTS = 20
"""Ended objects of a camera that never counted, which are remembered: those of some minutes in a restless scene."""


@dataclass(frozen=True, slots=True)
class ExplainedObject:
    """A detection of the last frame, with the reason `why` it does not count; empty if it counts."""

    label: str
    score: float
    box_rel: RelativeBox
    why: str = ""
    id: str = ""
    """The id of the object that it continues; empty if it belongs to none."""
    zones: Mapping[str, str] = field(default_factory=dict)
    """By zone: the words for whether it counts as in the zone, or why not."""


@dataclass(frozen=True, slots=True)
class UncountedObject:
    """An object that was followed for a while, and has ended without having counted. Times are in s since 1970."""

    id: str
    label: str
    started_at: float
    seen_at: float
    why: str


@dataclass(frozen=True, slots=True)
class SceneExplanation:
    """The detections of a frame, and the last objects that never counted."""

    frame: str
    objects: tuple[ExplainedObject, ...]
    uncounted: tuple[UncountedObject, ...] = ()


def explained(
    found: DetectedObject, why: str, identity: str = "", zones: Mapping[str, str] | None = None
) -> ExplainedObject:
    """Return the explanation of a detection."""
    return ExplainedObject(found.label, found.score, found.box_rel, why, identity, zones or {})


def not_begun(score: float, needed: float) -> str:
    """Return why a detection that passes the filters does not begin an object."""
    if score < needed:
        return f"its score {score:.2f} may continue an object, but only {needed:.2f} begins one"
    return "another detection of this frame is the same object"


def not_counting(track: Track, needed_detections: int, threshold: float) -> str:
    """Return why a followed object does not count yet, or did not when it ended."""
    if track.hits < needed_detections:
        return f"seen in {track.hits} of the {needed_detections} frames that it takes to count"
    if track.median_score < threshold:
        return f"the median of its scores, {track.median_score:.2f}, is below the threshold {threshold:.2f}"
    return "it was out of sight when it would have begun to count"
