"""Says why an object does or does not count. Pure; computed only when somebody asks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.observation.tracking.tracks import Track
    from shared.payloads.cluster import DetectedObject
    from shared.payloads.fields import RelativeBox

MAX_UNCOUNTED_OBJECTS = 20
"""Objects of a camera that ended without having counted and are remembered: the last minutes of a restless scene."""


@dataclass(frozen=True, slots=True)
class ExplainedObject:
    """A detection of the last frame. `why` says why it does not count; it is empty for one that does."""

    label: str
    score: float
    box_rel: RelativeBox
    why: str = ""
    id: str = ""
    """Of the object that it continues; empty if it does not belong to one."""
    zones: Mapping[str, str] = field(default_factory=dict)
    """By zone whether it counts as in it, or why not."""


@dataclass(frozen=True, slots=True)
class UncountedObject:
    """An object that was followed for a while, and is gone without having counted."""

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
