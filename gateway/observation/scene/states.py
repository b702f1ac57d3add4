"""Makes the states of a scene: the present objects, by label and zone. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.payloads.observations import LabelState

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from gateway.observation.scene.scene_settings import SceneSettings
    from shared.payloads.observations import FollowedObject, ObjectEvent, Trigger

ALL_LABELS = "all"
"""The name in topics and states that stands for objects of all labels."""


@dataclass(frozen=True, slots=True)
class FrameMoment:
    """The frame that a state describes; `captured_at` is in seconds since 1970, by the camera's clock."""

    frame: str = ""
    captured_at: float = 0.0
    latency_ms: float = 0.0
    degraded: bool = False


@dataclass(frozen=True, slots=True)
class SceneState:
    """The state of every followed label, also of those without objects."""

    all: LabelState
    labels: Mapping[str, LabelState]
    zones: Mapping[str, Mapping[str, LabelState]]
    """By zone, then by label or ALL_LABELS."""


@dataclass(frozen=True, slots=True)
class SceneUpdate:
    """The result of a change of a scene: the new state, and the events and triggers that the change causes."""

    state: SceneState
    events: tuple[ObjectEvent, ...] = ()
    triggers: tuple[Trigger, ...] = ()


def state_of(objects: Iterable[FollowedObject], settings: SceneSettings, moment: FrameMoment) -> SceneState:
    """Return the state of a scene. Its objects are sorted by id, so that equal scenes have equal states."""
    present = sorted(objects, key=lambda found: found.id)
    states = _States(present, moment)
    zones = {}
    for name, zone in settings.zones.items():
        inside = [found for found in present if name in found.zones]
        zones[name] = {ALL_LABELS: states.of(inside), **states.by_label(inside, settings.zone_labels(zone))}
    return SceneState(states.of(present), states.by_label(present, settings.followed), zones)


def same_state(one: LabelState, other: LabelState) -> bool:
    """Return whether two states are equal except for boxes, scores and times."""
    return (
        (one.count, one.active, one.degraded) == (other.count, other.active, other.degraded)
        and len(one.objects) == len(other.objects)
        and all(map(_same_object, one.objects, other.objects))
    )


def _same_object(one: FollowedObject, other: FollowedObject) -> bool:
    return (one.id, one.label, one.zones, one.stationary) == (other.id, other.label, other.zones, other.stationary)


class _States:
    """Makes the states of parts of a scene. Most parts have all objects or none, whose states are made once."""

    def __init__(self, present: Sequence[FollowedObject], moment: FrameMoment) -> None:
        self._moment = moment
        self._known = {count: self._make(objects) for count, objects in {0: (), len(present): present}.items()}

    def of(self, objects: Sequence[FollowedObject]) -> LabelState:
        """Return the state of some of the objects, in the same order."""
        return self._known.get(len(objects)) or self._make(objects)

    def by_label(self, objects: Sequence[FollowedObject], labels: Iterable[str]) -> dict[str, LabelState]:
        """Return the state of each label among some of the objects."""
        return {label: self.of([found for found in objects if found.label == label]) for label in labels}

    def _make(self, objects: Sequence[FollowedObject]) -> LabelState:
        return LabelState(
            count=len(objects),
            active=sum(not found.stationary for found in objects),
            objects=tuple(objects),
            frame=self._moment.frame,
            captured_at=self._moment.captured_at,
            latency_ms=self._moment.latency_ms,
            degraded=self._moment.degraded,
        )
