"""Sections for other programs: Home Assistant, Frigate's topics, hooks."""

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
    """Publish devices and entities to Home Assistant."""
    discovery_prefix: TopicPrefix = "homeassistant"
    """The prefix in the settings of its MQTT integration."""
    per_entity: bool = False
    """Publish a discovery message for each entity instead of each device; Home Assistant before 2024.11 needs that."""


class FrigateSection(Section):
    """Frigate's topics and payloads, so that existing automations keep working."""

    enabled: bool = False
    """Publish these topics."""
    topic_prefix: TopicPrefix = "frigate"
    """Their first level."""


class HookSection(Section):
    """A reaction to events outside MQTT."""

    events: HookEvents = ("new", "end")
    """The events of an object, and trigger."""
    cameras: NameList = ()
    """Empty: all."""
    labels: LabelList = ()
    """Empty: all."""
    zones: NameList = ()
    """Empty: all; else events of objects that are, or were, in one of these."""


class WebhookSection(HookSection):
    """An HTTP POST of the event."""

    url: WebhookUrl
    """http(s)://; it may contain a password or a token."""
    secret: SecretStr | None = None
    """A key that signs the body: header X-DeepThings-Signature: sha256=HEX (HMAC-SHA-256)."""
    timeout: Seconds = Field(default=5.0, gt=0, le=60)
    """Seconds for one attempt."""
    retries: int = Field(default=3, ge=0, le=10)
    """Attempts after the first."""


class CommandHookSection(HookSection):
    """A command that reads the event from its standard input."""

    command: tuple[str, ...] = Field(min_length=1)
    """The program and its arguments; no shell reads them."""
    timeout: Seconds = Field(default=10.0, gt=0, le=600)
    """Seconds after which it is killed."""


class HooksSection(Section):
    """Webhooks and commands for events; none by default."""

    webhooks: tuple[WebhookSection, ...] = ()
    """HTTP POSTs of events."""
    commands: tuple[CommandHookSection, ...] = ()
    """Commands that get events."""
