"""Which hooks an event concerns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.payloads.observations import ObjectEvent, Trigger

if TYPE_CHECKING:
    from collections.abc import Collection

    from gateway.configuration.automation import HookEvent, HookSection

Event = ObjectEvent | Trigger


def kind_of(event: Event) -> HookEvent:
    """The word for it in a hook's `events`: new, update, end or trigger."""
    return "trigger" if isinstance(event, Trigger) else event.type.value


def hook_matches(hook: HookSection, event: Event) -> bool:
    """Whether the hook asks for this event: by kind, camera, label, and zones that the object is or was in."""
    return (
        kind_of(event) in hook.events
        and _asked(hook.cameras, {event.camera})
        and _asked(hook.labels, {event.label})
        and _asked(hook.zones, _zones_of(event))
    )


def _zones_of(event: Event) -> set[str]:
    if isinstance(event, Trigger):
        return {event.zone} if event.zone is not None else set()
    return {*event.zones, *event.entered_zones}


def _asked(wanted: Collection[str], given: set[str]) -> bool:
    """Nothing named is everything asked for."""
    return not wanted or not given.isdisjoint(wanted)
