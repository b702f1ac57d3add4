"""Reads environment files in systemd's format (EnvironmentFile=), except the parts that people do not write by hand."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

from shared.errors import ConfigurationError
from shared.reasons.system_reasons import system_reason

if TYPE_CHECKING:
    from pathlib import Path

_LINE = re.compile(r"\s*(?P<name>[A-Za-z_][A-Za-z0-9_]*)\s*=\s*(?P<value>.*?)\s*")


def read_environment_file(path: Path) -> dict[str, str]:
    """Return the variables of a file; none if it does not exist. Raises ConfigurationError."""
    try:
        return parse_environment(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} cannot be read: {system_reason(error)}") from error


def parse_environment(text: str) -> dict[str, str]:
    """Return the variables of lines NAME=value; # and ; begin comments, quotes are removed."""
    found = {}
    for line in text.splitlines():
        match = _LINE.fullmatch(line)
        if match is None or line.lstrip().startswith(("#", ";")):
            continue
        value = match["value"]
        if value[:1] in {'"', "'"}:
            try:
                value = "".join(shlex.split(value))
            except ValueError:
                continue  # a quote without its end: systemd ignores the line, too
        found[match["name"]] = value
    return found
