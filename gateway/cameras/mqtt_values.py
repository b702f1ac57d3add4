"""Settings of cameras as they are said by MQTT, pure: payloads to values and back."""

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
"""What is published of a setting without a value, as all values are JSON but those of switches."""

_RESET_VALUES = frozenset({"", _NO_VALUE, "None"})
"""What takes a setting back; None is Home Assistant's word for a number without a value."""

MAX_SETTING_BYTES = 64 * 1024
"""A list of labels is shorter."""


def with_setting(overrides: Overrides, setting: str, payload: bytes) -> Overrides:
    """Overrides with one setting as `payload` says it; an empty one, or null, takes it back.

    Raises ConfigurationError saying what would be right.
    """
    if setting not in CAMERA_SETTINGS:
        raise ConfigurationError(f"a camera has no setting {setting!r}; there are {', '.join(CAMERA_SETTINGS)}")
    if len(payload) > MAX_SETTING_BYTES:
        raise ConfigurationError(f"{setting}: {len(payload)} bytes are no value")
    text = payload.decode(errors="replace").strip()
    value = None if text in _RESET_VALUES else _READ[setting](text)
    try:
        return Overrides.model_validate({**overrides.model_dump(), setting: value})
    except ValidationError as error:
        wrong = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise ConfigurationError(f"{setting}: {text[:60]!r}: {wrong}") from error


def encode_setting(value: Any) -> bytes:  # noqa: ANN401
    """A setting's value as its state topic has it."""
    if isinstance(value, bool):
        return b"ON" if value else b"OFF"
    if isinstance(value, int | float):
        return f"{value:g}".encode()
    return _NO_VALUE.encode() if value is None else json.dumps(list(value)).encode()


def _switch(text: str) -> bool:
    known = {"on": True, "true": True, "1": True, "off": False, "false": False, "0": False}
    if text.lower() not in known:
        raise ConfigurationError(f"{text[:60]!r} is no state of a switch: say ON or OFF")
    return known[text.lower()]


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ConfigurationError(f"{text[:60]!r} is no number") from None


def _labels(text: str) -> Any:  # noqa: ANN401  (the model checks it)
    try:
        return from_json(text) if text.startswith("[") else [part.strip() for part in text.split(",")]
    except ValueError:
        raise ConfigurationError(f'{text[:60]!r} is no list of labels: say ["person", "car"]') from None


_READ: dict[str, Callable[[str], Any]] = {
    "enabled": _switch, "detect": _switch, "threshold": _number, "fps": _number, "labels": _labels,
}  # fmt: skip
