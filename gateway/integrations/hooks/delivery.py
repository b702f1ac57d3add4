"""What is handed to a hook, and what came of it."""

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
    """One event for one hook. `id` stays the same when it is tried again; `body` is the event as JSON, UTF-8."""

    id: str
    kind: str
    camera: str
    label: str
    object: str
    body: bytes
    trigger: str = ""

    @classmethod
    def from_event(cls, event: Event) -> Delivery:
        trigger = event.name if isinstance(event, Trigger) else ""
        body = event.model_dump_json().encode()
        return cls(uuid.uuid4().hex, kind_of(event), event.camera, event.label, event.id, body, trigger)


@dataclass(frozen=True, slots=True)
class DeliveryOutcome:
    """How a delivery ended: `failure` says why it failed, and is empty when it did not; `said` is the answer to log."""

    failure: str = ""
    said: str = ""


class Sender(Protocol):
    """How one hook delivers. `name` is fit for a log: no path, no query, no argument."""

    @property
    def name(self) -> str: ...

    async def send(self, delivery: Delivery) -> DeliveryOutcome:
        """Deliver it, with as many tries as are allowed; may be cancelled at any time."""
        ...
