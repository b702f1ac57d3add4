"""Converts settings of cameras between MQTT payloads and values. Pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from pydantic_core import from_json

from gateway.cameras.overrides import Overrides
from shared.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

CAMERA_SETTINGS = ("enabled", "detect", "threshold", "fps", "labels")

_NO_VALUE = "null"
"""The state payload of a setting without a value. All values are JSON, except for ON and OFF."""

_RESET_VALUES = frozenset({"", _NO_VALUE, "None"})
"""Payloads that reset a setting; Home Assistant sends None for a number without a value."""

MAX_SETTING_BYTES = 64 * 1024
"""The longest payload; a list of labels is always shorter."""


def with_setting(overrides: Overrides, setting: str, payload: bytes) -> Overrides:
    """Return the overrides with one setting replaced by `payload`; an empty payload, or null, resets it.

    Raises ConfigurationError, which says what is valid.
    """
    if setting not in CAMERA_SETTINGS:
        raise ConfigurationError(f"unknown camera setting {setting!r}; valid settings: {', '.join(CAMERA_SETTINGS)}")
    if len(payload) > MAX_SETTING_BYTES:
        raise ConfigurationError(
            f"{setting}: a value of {len(payload)} bytes is too long; send at most {MAX_SETTING_BYTES}"
        )
    text = payload.decode(errors="replace").strip()
    value = None if text in _RESET_VALUES else _READ[setting](text)
    try:
        return Overrides.model_validate({**overrides.model_dump(), setting: value})
    except ValidationError as error:
        problem = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise ConfigurationError(f"{setting}: {text[:60]!r}: {problem}") from error


def read_switch(payload: bytes) -> bool | None:
    """Return True for ON, False for OFF, None (reset) for an empty payload or null. Raises ConfigurationError."""
    if len(payload) > MAX_SETTING_BYTES:
        raise ConfigurationError(f"a value of {len(payload)} bytes is too long; send ON or OFF")
    text = payload.decode(errors="replace").strip()
    return None if text in _RESET_VALUES else _switch(text)


def encode_setting(value: Any) -> bytes:  # noqa: ANN401
    """Return a setting's value as the payload of its state topic."""
    if isinstance(value, bool):
        return b"ON" if value else b"OFF"
    if isinstance(value, int | float):
        return f"{value:g}".encode()
    return _NO_VALUE.encode() if value is None else json.dumps(list(value)).encode()


def _switch(text: str) -> bool:
    states = {"on": True, "true": True, "1": True, "off": False, "false": False, "0": False}
    if text.lower() not in states:
        raise ConfigurationError(f"{text[:60]!r} is not a switch state; send ON or OFF")
    return states[text.lower()]


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ConfigurationError(f"{text[:60]!r} is not a number; send for example 0.5") from None


def _labels(text: str) -> Any:  # noqa: ANN401  (the model checks it)
    try:
        return from_json(text) if text.startswith("[") else [part.strip() for part in text.split(",")]
    except ValueError:
        raise ConfigurationError(f'{text[:60]!r} is not a list of labels; send for example ["person", "car"]') from None


_READ: dict[str, Callable[[str], Any]] = {
    "enabled": _switch, "detect": _switch, "threshold": _number, "fps": _number, "labels": _labels,
}  # fmt: skip
