"""Makes triggers for automations: the first object of a label appears, or the last one leaves, in a place. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.payloads.observations import Trigger
from shared.settings.slugs import slug

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gateway.configuration.objects import ZoneSection
    from gateway.observation.scene.states import SceneState

LabelPlace = tuple[str, str | None]
"""A label, and a zone or None, which is the whole picture."""


def occupied_places(state: SceneState) -> dict[LabelPlace, str]:
    """Return the occupied places, each with the id of its newest object: ids begin with the time of first detection."""
    found: dict[LabelPlace, str] = {}
    for label, anywhere in state.labels.items():
        inside = [(name, labels[label]) for name, labels in state.zones.items() if label in labels]
        for name, label_state in [(None, anywhere), *inside]:
            if label_state.objects:
                found[label, name] = label_state.objects[-1].id
    return found


def triggers_between(
    before: Mapping[LabelPlace, str],
    after: Mapping[LabelPlace, str],
    zones: Mapping[str, ZoneSection],
    camera: str,
    at: float,
) -> tuple[Trigger, ...]:
    """Return the triggers of a change: first those of places that became empty, then those of occupied places."""
    left = [(place, before[place], _left_names(*place)) for place in before if place not in after]
    entered = [(place, after[place], _entered_names(*place, zones)) for place in after if place not in before]
    return tuple(
        Trigger(name=name, camera=camera, label=label, zone=zone, id=identity, at=at)
        for (label, zone), identity, names in (*left, *entered)
        for name in names
    )


def _left_names(label: str, zone: str | None) -> Iterator[str]:
    yield f"{slug(label)}_left" if zone is None else f"{slug(label)}_left_{zone}"


def _entered_names(label: str, zone: str | None, zones: Mapping[str, ZoneSection]) -> Iterator[str]:
    if zone is None:
        yield f"{slug(label)}_appeared"
        return
    yield f"{slug(label)}_in_{zone}"
    if zones[zone].loitering_time > 0:
        yield f"{slug(label)}_loitering_in_{zone}"
