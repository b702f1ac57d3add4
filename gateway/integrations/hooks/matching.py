"""Matches events with hooks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.payloads.observations import ObjectEvent, Trigger

if TYPE_CHECKING:
    from collections.abc import Collection

    from gateway.configuration.automation import HookEvent, HookSection

Event = ObjectEvent | Trigger


def kind_of(event: Event) -> HookEvent:
    """Return the kind of an event, as in the configured `events` of a hook: new, update, end or trigger."""
    return "trigger" if isinstance(event, Trigger) else event.type.value


def hook_matches(hook: HookSection, event: Event) -> bool:
    """Return whether an event matches a hook in its kind, its camera, its label, and the zones of its object."""
    return (
        kind_of(event) in hook.events
        and _wants(hook.cameras, {event.camera})
        and _wants(hook.labels, {event.label})
        and _wants(hook.zones, _zones_of(event))
    )


def _zones_of(event: Event) -> set[str]:
    if isinstance(event, Trigger):
        return {event.zone} if event.zone is not None else set()
    return {*event.zones, *event.entered_zones}


def _wants(wanted: Collection[str], given: set[str]) -> bool:
    """Return whether one of the given names is wanted; an empty list wants all."""
    return not wanted or not given.isdisjoint(wanted)
