"""What is told to others: Home Assistant, Frigate's topics, hooks."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, SecretStr

from gateway.configuration.names import Labels, Names, Prefix, listed
from gateway.configuration.urls import Url
from shared.settings.durations import Seconds
from shared.settings.section import Section

EventType = Literal["new", "update", "end", "trigger"]
EventTypes = Annotated[
    tuple[EventType, ...], BeforeValidator(listed, json_schema_input_type=EventType | list[EventType])
]


class HomeAssistant(Section):
    """Discovery by Home Assistant's MQTT integration."""

    enabled: bool = True
    """Whether Home Assistant is told of devices and entities."""
    discovery_prefix: Prefix = "homeassistant"
    """As in the settings of its MQTT integration."""
    per_entity: bool = False
    """One discovery message for each entity, as Home Assistant before 2024.11 needs it, instead of one a device."""


class FrigateCompat(Section):
    """The topics of Frigate, in its shapes, so that existing automations carry over."""

    enabled: bool = False
    """Whether they are published."""
    topic_prefix: Prefix = "frigate"
    """Their first level."""


class Hook(Section):
    """What happens outside MQTT at an event."""

    events: EventTypes = ("new", "end")
    """Which of an object's events, or trigger."""
    cameras: Names = ()
    """Empty: all."""
    labels: Labels = ()
    """Empty: all."""
    zones: Names = ()
    """Empty: all; else events of objects that are, or were, in one of these."""


class Webhook(Hook):
    """An HTTP POST of the event."""

    url: Url
    """http(s)://; a password or a token may be in it."""
    secret: SecretStr | None = None
    """Signs the body: header X-DeepThings-Signature: sha256=HEX (HMAC-SHA-256)."""
    timeout: Seconds = Field(default=5.0, gt=0, le=60)
    """Seconds for one attempt."""
    retries: int = Field(default=3, ge=0, le=10)
    """Attempts after the first."""


class CommandHook(Hook):
    """A command that gets the event on its standard input."""

    command: tuple[str, ...] = Field(min_length=1)
    """The program and its arguments; no shell reads them."""
    timeout: Seconds = Field(default=10.0, gt=0, le=600)
    """Seconds after which it is ended."""


class Hooks(Section):
    """Off unless named."""

    webhooks: tuple[Webhook, ...] = ()
    """HTTP POSTs of events."""
    commands: tuple[CommandHook, ...] = ()
    """Commands that get events."""
