"""Chooses the snapshots to publish: after changes, and of better views, but not of a still scene. Pure."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.payloads.observations import FollowedObject, LabelState

MIN_PERIOD_S = 1.0
"""Time between two whole pictures of a camera, and between two objects of one label: nobody could look at more."""

WHOLE_PICTURE_PERIOD_S = 10.0
"""While an object moves, the whole picture is published again after this time."""

BETTER_SCORE = 0.05
"""A view is clearly better than the best one before if its score is higher by this."""

LARGER_AREA = 1.5
"""A view is also clearly better than the best one before if its area is larger by this factor."""

VIEW_LIFETIME_S = 60.0
"""After this time a new view of a moving object replaces the best one, as in Frigate."""


class SceneLabels(Protocol):
    """The state of a scene, by label and over all labels."""

    @property
    def labels(self) -> Mapping[str, LabelState]: ...
    @property
    def all(self) -> LabelState: ...


@dataclass(frozen=True, slots=True)
class SnapshotChoice:
    """The snapshots to publish: the whole picture or not, and at most one object of each label."""

    whole: bool = False
    labels: dict[str, FollowedObject] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _View:
    """The best score and the largest area of an object in published snapshots, and the time of the last one."""

    score: float
    area: float
    at: float


class _Shown:
    """The published snapshots of one camera.

    `ids` are the objects in the last whole picture, None if unknown; `whole_at` is its time; `views` are the best views
    of objects, by id; `label_at` is the time of the last snapshot of each label.
    """

    def __init__(self) -> None:
        self.ids: frozenset[str] | None = frozenset()
        self.whole_at = -math.inf
        self.views: dict[str, _View] = {}
        self.label_at: dict[str, float] = {}


class SnapshotPolicy:
    """Remembers the published snapshots of each camera, for the objects that are present."""

    def __init__(self) -> None:
        self._shown: defaultdict[str, _Shown] = defaultdict(_Shown)

    def choose(self, camera: str, state: SceneLabels, now: float) -> SnapshotChoice:
        """Return the snapshots to publish of the frame with this state; they count as published. `now`: monotonic s.

        The whole picture is chosen if its objects differ from those of the last one, and every WHOLE_PICTURE_PERIOD_S
        while one of them moves. An object is chosen if it is new, if its view is clearly better than the best one, or
        if it moves and its last view is VIEW_LIFETIME_S old. Every MIN_PERIOD_S at most one object of each label is
        chosen, the one with the highest score, then with the largest area; others follow with later frames.
        """
        shown = self._shown[camera]
        ids = frozenset(found.id for found in state.all.objects)
        since_s, changed = now - shown.whole_at, ids != shown.ids
        moved = state.all.active > 0 and since_s >= WHOLE_PICTURE_PERIOD_S
        whole = moved or (changed and since_s >= MIN_PERIOD_S)
        if whole:
            shown.ids, shown.whole_at = ids, now
        present = {found.id for seen in state.labels.values() for found in seen.objects}
        shown.views = {name: view for name, view in shown.views.items() if name in present}
        labels = {}
        for label, seen in state.labels.items():
            if now - shown.label_at.get(label, -math.inf) < MIN_PERIOD_S:
                continue
            candidates = [found for found in seen.objects if _is_worth_showing(found, shown.views.get(found.id), now)]
            if candidates:
                best = labels[label] = max(candidates, key=_score_and_area)
                shown.views[best.id], shown.label_at[label] = _best_view(best, shown.views.get(best.id), now), now
        return SnapshotChoice(whole, labels)

    def retry_later(self, camera: str, choice: SnapshotChoice) -> None:
        """Forget that a choice was published, because its picture was not available: the next frame is chosen."""
        shown = self._shown[camera]
        if choice.whole:
            shown.ids, shown.whole_at = None, -math.inf
        for label, found in choice.labels.items():
            shown.views.pop(found.id, None)
            shown.label_at.pop(label, None)

    def forget_camera(self, camera: str) -> None:
        """Forget a camera that was removed."""
        self._shown.pop(camera, None)


def _is_worth_showing(found: FollowedObject, view: _View | None, now: float) -> bool:
    if view is None:
        return True
    score, area = _score_and_area(found)
    better = score >= view.score + BETTER_SCORE or area >= LARGER_AREA * view.area > 0
    return better or (not found.stationary and now - view.at >= VIEW_LIFETIME_S)


def _best_view(found: FollowedObject, view: _View | None, now: float) -> _View:
    """Return the view with which later ones are compared: the best score and the largest area so far.

    So two views, of which one has the better score and the other one the larger area, cannot alternate.
    """
    score, area = _score_and_area(found)
    if view is None or now - view.at >= VIEW_LIFETIME_S:
        return _View(score, area, now)
    return _View(max(score, view.score), max(area, view.area), now)


def _score_and_area(found: FollowedObject) -> tuple[float, float]:
    left, top, right, bottom = found.box
    return found.score, max(0.0, right - left) * max(0.0, bottom - top)
