"""Arguments of a command that is to run as a service: checked as the command itself would, and good in any folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

NOT_FOR_SERVICES = {
    "settings": "a service has no standard input: write --source",
    "parent": "a service has no parent",
    "frames": "a service that stops is started again: leave --frames out",
}


def checked_arguments(
    command: click.Command, role: str, words: Sequence[str]
) -> tuple[tuple[str, ...], dict[str, str]]:
    """Return the words as a service is to have them, with absolute paths, and the options that were given, by name.

    Raises click.UsageError for what the command would refuse.
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
        raise click.UsageError("write --source, where the camera's pictures come from", context)
    return tuple(checked), given


def make_absolute(value: str, *, is_path: bool) -> str:
    """Return a value that means the same in every folder: paths, and names of files that are here, become absolute."""
    looks_like_a_file = "." in value or "/" in value
    if is_path or (looks_like_a_file and "://" not in value and Path(value).exists()):
        return str(Path(value).expanduser().absolute())
    return value
