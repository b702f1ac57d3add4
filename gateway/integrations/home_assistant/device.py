"""Devices and their entities as Home Assistant's MQTT integration wants them described. Pure."""

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
    """A device, by an id that is unique in Home Assistant.

    `base` begins the ids of its entities, as people see them; `availability` is for those that name none themselves.
    """

    id: str
    base: str
    information: Mapping[str, Any]
    availability: tuple[Mapping[str, str], ...]
    components: Mapping[str, Component]


def device_information(name: str, identifier: str, model: str, **more: str) -> dict[str, Any]:
    """What Home Assistant shows of a device itself."""
    return {"identifiers": [identifier], "name": name, "manufacturer": MANUFACTURER, "model": model, **more}


def readable(name: str) -> str:
    """A name as people write it: `front_door` is `front door`."""
    return re.sub(r"[_-]+", " ", name).strip() or name


def capitalised(text: str) -> str:
    """The text with a capital at its beginning."""
    return text[:1].upper() + text[1:]


def identifier(prefix: str, *parts: str) -> str:
    """An id within all of Home Assistant, and a level of its discovery topics."""
    return "_".join([re.sub(r"[^a-zA-Z0-9_-]", "_", prefix), *parts])
