"""Read Darknet's .cfg: sections of key=value lines with their line numbers."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shared.errors import ModelError
from shared.reasons.system_reasons import system_reason

if TYPE_CHECKING:
    from pathlib import Path

MAX_CFG_BYTES = 1_000_000
"""The files of the largest networks have 50 kB; a larger file is no .cfg, but for example the weights."""

MAX_INTEGER = 2**31 - 1
"""Darknet stores integers as int."""

SECTION_ALIASES = {"network": "net", "conv": "convolutional", "max": "maxpool"}

_INTEGER = re.compile(r"[+-]?[0-9]+")
_DECIMAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


@dataclass(frozen=True, slots=True)
class DarknetOption:
    """One key=value line."""

    value: str
    line: int


@dataclass(frozen=True, slots=True)
class DarknetSection:
    """One [section]; `number` is Darknet's number of the layer, None for [net].

    The get methods raise ModelError, with file and line, for an invalid value.
    """

    file: Path
    kind: str
    number: int | None
    line: int
    options: dict[str, DarknetOption] = field(default_factory=dict)

    def error(self, objection: str, key: str = "") -> ModelError:
        """Return an error about this section or, if it has `key`, about that line."""
        option = self.options.get(key)
        layer = "" if self.number is None else f"layer {self.number} "
        about = f"{key}={option.value} {objection}" if option else objection
        return ModelError(f"{self.file} line {option.line if option else self.line}: {layer}[{self.kind}] {about}")

    def get_text(self, key: str, default: str) -> str:
        """Return the value of `key` as it is written."""
        option = self.options.get(key)
        return default if option is None else option.value

    def get_int(self, key: str, default: int | None = None, least: int = 1) -> int:
        """Return an integer of at least `least`. Without a default the key is required."""
        if default is not None and key not in self.options:
            return default
        number = self._number(key, self._value(key), _INTEGER, "is not an integer")
        if number < least:
            raise self.error(f"must be {least} or more", key)
        return int(number)

    def get_float(self, key: str, default: float) -> float:
        """Return a finite number."""
        return (
            self._number(key, self.options[key].value, _DECIMAL, "is not a number") if key in self.options else default
        )

    def get_ints(self, key: str) -> tuple[int, ...]:
        """Return a list of integers, separated by commas; the key is required."""
        parts = self._value(key).split(",")
        return tuple(int(self._number(key, part, _INTEGER, "is not a list of integers")) for part in parts)

    def get_floats(self, key: str) -> tuple[float, ...]:
        """Return a list of finite numbers, separated by commas; the key is required."""
        parts = self._value(key).split(",")
        return tuple(self._number(key, part, _DECIMAL, "is not a list of numbers") for part in parts)

    def _value(self, key: str) -> str:
        if key not in self.options:
            raise self.error(f"has no {key}=")
        return self.options[key].value

    def _number(self, key: str, text: str, pattern: re.Pattern[str], objection: str) -> float:
        number = float(text) if pattern.fullmatch(text) else math.nan
        if math.isnan(number):
            raise self.error(objection, key)
        if abs(number) > MAX_INTEGER:
            raise self.error("is too large for Darknet", key)
        return number


def read_darknet_config(path: Path) -> tuple[DarknetSection, tuple[DarknetSection, ...]]:
    """Return [net] and the layers of a .cfg. Raises ModelError, with the line, for another file."""
    sections: list[DarknetSection] = []
    for number, raw in enumerate(_text(path).split("\n"), start=1):
        line = "".join(raw.partition("#")[0].split())  # Darknet ignores all blanks
        if not line or line.startswith(";"):
            continue
        if line.startswith("[") and line.endswith("]"):
            kind = SECTION_ALIASES.get(line[1:-1], line[1:-1])
            sections.append(DarknetSection(path, kind, len(sections) - 1 if sections else None, number))
            if sections[0].kind != "net":
                break
        elif sections and "=" in line:
            _add(sections[-1], line, number)
        else:
            raise ModelError(
                f"{path} line {number}: {raw.strip()[:40]!r} is neither [section] nor key=value inside one; "
                "is this a Darknet .cfg?"
            )
    if not sections or sections[0].kind != "net":
        raise ModelError(f"{path} does not begin with a [net] section; is this a Darknet .cfg?")
    return sections[0], tuple(sections[1:])


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_CFG_BYTES + 1)
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {system_reason(error)}") from error
    if len(content) > MAX_CFG_BYTES or b"\0" in content:
        raise ModelError(
            f"{path} is not a Darknet .cfg, which is a text file of a few kB; are cfg and weights swapped?"
        )
    return content.decode("utf-8-sig", errors="replace")  # comments may be in any encoding


def _add(section: DarknetSection, line: str, number: int) -> None:
    key, _, value = line.partition("=")
    if key in section.options:
        raise section.error(f"is repeated in line {number}; remove one of the two", key)
    section.options[key] = DarknetOption(value, number)
