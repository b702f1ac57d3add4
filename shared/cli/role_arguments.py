"""Arguments of a command that will run as a service: validated, and independent of the working folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

NOT_FOR_SERVICES = {
    "settings": "a service has no standard input: write --source",
    "parent": "a service has no parent",
    "frames": "a service that stops is restarted: leave --frames out",
}
"""By option: why a service cannot have it."""


def checked_arguments(
    command: click.Command, role: str, words: Sequence[str]
) -> tuple[tuple[str, ...], dict[str, str]]:
    """Return the words for the service, with absolute paths, and the given options by name.

    Raises click.UsageError for options that the command refuses or a service cannot have.
    """
    context = command.make_context(f"deepthings {role}", list(words))
    options, _, order = command.make_parser(context).parse_args(list(words))
    given: dict[str, str] = {}
    checked: list[str] = []
    for parameter in dict.fromkeys(order):
        assert isinstance(parameter, click.Option)
        assert parameter.name is not None
        switch = max(parameter.opts, key=len)
        name, value = switch.lstrip("-"), options[parameter.name]
        if name in NOT_FOR_SERVICES:
            raise click.UsageError(f"{switch}: {NOT_FOR_SERVICES[name]}", context)
        if parameter.count:
            checked += [switch] * int(value)
        elif parameter.is_flag:
            checked.append(switch)
        else:
            given[name] = make_absolute(str(value), is_path=isinstance(parameter.type, click.Path))
            checked += [switch, given[name]]
    if role == "camera" and "source" not in given:
        raise click.UsageError("--source is missing: write the URL or file of the camera's pictures", context)
    return tuple(checked), given


def make_absolute(value: str, *, is_path: bool) -> str:
    """Return the value with an absolute path, if it is a path or the name of an existing file."""
    looks_like_a_file = "." in value or "/" in value
    if is_path or (looks_like_a_file and "://" not in value and Path(value).exists()):
        return str(Path(value).expanduser().absolute())
    return value
