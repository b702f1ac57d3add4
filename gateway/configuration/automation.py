"""What is told to others: Home Assistant, Frigate's topics, hooks."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, SecretStr

from gateway.configuration.names import LabelList, NameList, TopicPrefix, as_list
from gateway.configuration.urls import WebhookUrl
from shared.settings.durations import Seconds
from shared.settings.section import Section

HookEvent = Literal["new", "update", "end", "trigger"]
HookEvents = Annotated[
    tuple[HookEvent, ...], BeforeValidator(as_list, json_schema_input_type=HookEvent | list[HookEvent])
]


class HomeAssistantSection(Section):
    """Discovery by Home Assistant's MQTT integration."""

    enabled: bool = True
    """Whether Home Assistant is told of devices and entities."""
    discovery_prefix: TopicPrefix = "homeassistant"
    """As in the settings of its MQTT integration."""
    per_entity: bool = False
    """One discovery message for each entity, as Home Assistant before 2024.11 needs it, instead of one a device."""


class FrigateSection(Section):
    """The topics of Frigate, in its shapes, so that existing automations carry over."""

    enabled: bool = False
    """Whether they are published."""
    topic_prefix: TopicPrefix = "frigate"
    """Their first level."""


class HookSection(Section):
    """What happens outside MQTT at an event."""

    events: HookEvents = ("new", "end")
    """Which of an object's events, or trigger."""
    cameras: NameList = ()
    """Empty: all."""
    labels: LabelList = ()
    """Empty: all."""
    zones: NameList = ()
    """Empty: all; else events of objects that are, or were, in one of these."""


class WebhookSection(HookSection):
    """An HTTP POST of the event."""

    url: WebhookUrl
    """http(s)://; a password or a token may be in it."""
    secret: SecretStr | None = None
    """Signs the body: header X-DeepThings-Signature: sha256=HEX (HMAC-SHA-256)."""
    timeout: Seconds = Field(default=5.0, gt=0, le=60)
    """Seconds for one attempt."""
    retries: int = Field(default=3, ge=0, le=10)
    """Attempts after the first."""


class CommandHookSection(HookSection):
    """A command that gets the event on its standard input."""

    command: tuple[str, ...] = Field(min_length=1)
    """The program and its arguments; no shell reads them."""
    timeout: Seconds = Field(default=10.0, gt=0, le=600)
    """Seconds after which it is ended."""


class HooksSection(Section):
    """Off unless named."""

    webhooks: tuple[WebhookSection, ...] = ()
    """HTTP POSTs of events."""
    commands: tuple[CommandHookSection, ...] = ()
    """Commands that get events."""
