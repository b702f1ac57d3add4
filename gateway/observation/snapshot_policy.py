"""Which snapshots are worth publishing: of changes and of better views, never of a still scene. Pure."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.payloads.observations import FollowedObject, LabelState

WHOLE_PICTURE_PERIOD_S = 10.0
"""While something moves about, the whole picture is shown again so often."""

BETTER_SCORE = 0.05
LARGER_AREA = 1.5
"""A view is clearly better with so much more score, or so many times the area, than any that was shown."""

VIEW_LIFETIME_S = 60.0
"""After so long, the present view of an object that moves counts more than the best one, as with Frigate."""


class SceneLabels(Protocol):
    """What a camera sees, as the scene tells it."""

    @property
    def labels(self) -> Mapping[str, LabelState]: ...
    @property
    def all(self) -> LabelState: ...


@dataclass(frozen=True, slots=True)
class SnapshotChoice:
    """Whether the whole picture is worth publishing, and of each label the object that is."""

    whole: bool = False
    labels: dict[str, FollowedObject] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return self.whole or bool(self.labels)


@dataclass(frozen=True, slots=True)
class _View:
    """The best score and the largest area of an object that were shown, and when it was shown last."""

    score: float
    area: float
    at: float


class _Shown:
    """What was published of one camera; no `ids`: nothing that can be relied on."""

    def __init__(self) -> None:
        self.ids: frozenset[str] | None = frozenset()
        self.whole_at = -math.inf
        self.views: dict[str, _View] = {}


class SnapshotPolicy:
    """Remembers what was published of each camera; of as many objects as are there."""

    def __init__(self) -> None:
        self._shown: defaultdict[str, _Shown] = defaultdict(_Shown)

    def choose(self, camera: str, state: SceneLabels, now: float) -> SnapshotChoice:
        """Choose what to publish of the frame of this state; it counts as published. `now` is monotonic, in seconds.

        The whole picture: if the objects differ from the last picture's, and every WHOLE_PICTURE_PERIOD_S while one of
        them moves. One object: if it is new, clearly better visible than before, or moves and was last shown
        VIEW_LIFETIME_S ago. Each frame gives at most one object of each label: the one with the highest score, then the
        largest area. The others follow with the next frames.
        """
        shown = self._shown[camera]
        ids = frozenset(found.id for found in state.all.objects)
        whole = ids != shown.ids or (state.all.active > 0 and now - shown.whole_at >= WHOLE_PICTURE_PERIOD_S)
        if whole:
            shown.ids, shown.whole_at = ids, now
        there = {found.id for seen in state.labels.values() for found in seen.objects}
        shown.views = {name: view for name, view in shown.views.items() if name in there}
        labels = {}
        for label, seen in state.labels.items():
            worth = [found for found in seen.objects if _is_worth_it(found, shown.views.get(found.id), now)]
            if worth:
                best = labels[label] = max(worth, key=_quality)
                shown.views[best.id] = _after(best, shown.views.get(best.id), now)
        return SnapshotChoice(whole, labels)

    def retry_later(self, camera: str, wishes: SnapshotChoice) -> None:
        """The picture was not to be had: wish for it again with the next frame."""
        shown = self._shown[camera]
        if wishes.whole:
            shown.ids, shown.whole_at = None, -math.inf
        for found in wishes.labels.values():
            shown.views.pop(found.id, None)

    def forget_camera(self, camera: str) -> None:
        """The camera is gone, or begins anew."""
        self._shown.pop(camera, None)


def _is_worth_it(found: FollowedObject, view: _View | None, now: float) -> bool:
    if view is None:
        return True
    score, area = _quality(found)
    better = score >= view.score + BETTER_SCORE or area >= LARGER_AREA * view.area > 0
    return better or (not found.stationary and now - view.at >= VIEW_LIFETIME_S)


def _after(found: FollowedObject, view: _View | None, now: float) -> _View:
    """What the next views are measured by: the best of each kind, so that two views do not take turns for ever."""
    score, area = _quality(found)
    if view is None or now - view.at >= VIEW_LIFETIME_S:
        return _View(score, area, now)
    return _View(max(score, view.score), max(area, view.area), now)


def _quality(found: FollowedObject) -> tuple[float, float]:
    left, top, right, bottom = found.box
    return found.score, max(0.0, right - left) * max(0.0, bottom - top)
