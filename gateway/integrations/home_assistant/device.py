"""Defines devices and entities in the terms of Home Assistant's MQTT discovery. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

Component = dict[str, Any]
"""One entity or device trigger: the keys of Home Assistant's MQTT discovery, `platform` among them."""

MANUFACTURER = "DeepThings"


@dataclass(frozen=True, slots=True)
class Device:
    """A device of Home Assistant.

    `id` is unique in Home Assistant; `base` is the beginning of its entity ids. `availability` applies to components
    that have none of their own.
    """

    id: str
    base: str
    information: Mapping[str, Any]
    availability: tuple[Mapping[str, str], ...]
    components: Mapping[str, Component]


def device_information(name: str, identifier: str, model: str, **more: str) -> dict[str, Any]:
    """Return the information that Home Assistant shows about the device itself."""
    return {"identifiers": [identifier], "name": name, "manufacturer": MANUFACTURER, "model": model, **more}


def readable(name: str) -> str:
    """Return a name as people write it: `front door` for `front_door`."""
    return re.sub(r"[_-]+", " ", name).strip() or name


def capitalised(text: str) -> str:
    """Return the text with a capital first letter."""
    return text[:1].upper() + text[1:]


def identifier(prefix: str, *parts: str) -> str:
    """Return an id that is unique in Home Assistant, and valid as a level of its discovery topics."""
    return "_".join([re.sub(r"[^a-zA-Z0-9_-]", "_", prefix), *parts])
