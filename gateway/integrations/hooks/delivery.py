"""A delivery of an event to a hook, and its outcome."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from gateway.integrations.hooks.matching import kind_of
from shared.payloads.observations import Trigger

if TYPE_CHECKING:
    from gateway.integrations.hooks.matching import Event


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event for one hook. `id` stays the same for retries; `body` is the event as JSON in UTF-8."""

    id: str
    kind: str
    camera: str
    label: str
    object: str
    body: bytes
    trigger: str = ""

    @classmethod
    def from_event(cls, event: Event) -> Delivery:
        """Return a delivery of this event, with a new id."""
        trigger = event.name if isinstance(event, Trigger) else ""
        body = event.model_dump_json().encode()
        return cls(uuid.uuid4().hex, kind_of(event), event.camera, event.label, event.id, body, trigger)


@dataclass(frozen=True, slots=True)
class DeliveryOutcome:
    """The result of a delivery. `failure` is the reason, empty if it succeeded; `output` is a line for the log."""

    failure: str = ""
    output: str = ""


class Sender(Protocol):
    """Delivers the events of one hook. `name` is for messages, and has nothing secret: no path, query or argument."""

    @property
    def name(self) -> str: ...

    async def send(self, delivery: Delivery) -> DeliveryOutcome:
        """Deliver an event, with retries as configured; return the outcome. It may be cancelled at any time."""
        ...
