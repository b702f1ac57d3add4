"""The state of a scene: the present objects, by label and zone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.payloads.observations import LabelState

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gateway.observation.scene.scene_settings import SceneSettings
    from shared.payloads.observations import FollowedObject, ObjectEvent, Trigger

ALL_LABELS = "all"
"""Stands for objects of any label."""


@dataclass(frozen=True, slots=True)
class FrameMoment:
    """The frame that a state describes."""

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
    """By zone, then label or ALL_LABELS."""


@dataclass(frozen=True, slots=True)
class SceneUpdate:
    """The result of a step: the new state, and the events and triggers since the step before."""

    state: SceneState
    events: tuple[ObjectEvent, ...] = ()
    triggers: tuple[Trigger, ...] = ()


def state_of(objects: Iterable[FollowedObject], settings: SceneSettings, moment: FrameMoment) -> SceneState:
    """Return the state of a scene; objects are sorted by id, so that equal scenes have equal states."""
    present = sorted(objects, key=lambda found: found.id)
    zones = {}
    for name, zone in settings.zones.items():
        inside = [found for found in present if name in found.zones]
        zones[name] = {ALL_LABELS: _state(inside, moment), **_by_label(inside, settings.zone_labels(zone), moment)}
    return SceneState(_state(present, moment), _by_label(present, settings.followed, moment), zones)


def same_state(one: LabelState, other: LabelState) -> bool:
    """Return whether two states differ in nothing but boxes, scores and times."""
    return (
        (one.count, one.active, one.degraded) == (other.count, other.active, other.degraded)
        and len(one.objects) == len(other.objects)
        and all(map(_same_object, one.objects, other.objects))
    )


def _same_object(one: FollowedObject, other: FollowedObject) -> bool:
    return (one.id, one.label, one.zones, one.stationary) == (other.id, other.label, other.zones, other.stationary)


def _by_label(objects: list[FollowedObject], labels: Iterable[str], moment: FrameMoment) -> dict[str, LabelState]:
    return {label: _state([found for found in objects if found.label == label], moment) for label in labels}


def _state(objects: list[FollowedObject], moment: FrameMoment) -> LabelState:
    return LabelState(
        count=len(objects),
        active=sum(not found.stationary for found in objects),
        objects=tuple(objects),
        frame=moment.frame,
        captured_at=moment.captured_at,
        latency_ms=moment.latency_ms,
        degraded=moment.degraded,
    )
