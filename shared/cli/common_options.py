"""Options that several subcommands share, and the types of their values; see also shared.cli.cluster_options."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from shared.errors import ConfigurationError
from shared.network.addresses import LOOPBACK, Address
from shared.network.ports import CLUSTER_PORT, PUBLIC_PORT
from shared.payloads.fields import NAME_PATTERN
from shared.settings.threads import AUTO_THREADS, MAX_THREADS

if TYPE_CHECKING:
    from collections.abc import Callable


Value = TypeVar("Value")


class ParsedType(click.ParamType[Value]):
    """A click type whose values are parsed by a function that raises ConfigurationError."""

    def __init__(self, name: str, parse: Callable[[str], Value]) -> None:
        self.name = name
        self._parse = parse

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Value:  # noqa: ANN401
        if not isinstance(value, str):
            return cast("Value", value)
        try:
            return self._parse(value)
        except ConfigurationError as error:
            self.fail(str(error), param, ctx)


class ExistingFileType(click.Path):
    """The path of a file that exists."""

    def __init__(self) -> None:
        super().__init__(exists=True, dir_okay=False, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:  # noqa: ANN401
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter as error:
            is_unreadable = Path(value).is_file()
            cure = "check its permissions" if is_unreadable else "write the path of a file that exists"
            self.fail(f"{error.message.rstrip('.')}; {cure}", param, ctx)


class ThreadsType(click.IntRange):
    """A number of threads; AUTO_THREADS becomes None."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:  # noqa: ANN401
        return None if value == AUTO_THREADS else super().convert(value, param, ctx)


def parse_name(text: str) -> str:
    """Return `text` if it is a valid name of a camera or a node. Raises ConfigurationError."""
    if not re.fullmatch(NAME_PATTERN, text):
        raise ConfigurationError(f"invalid name {text!r}: write lower-case letters, digits, - and _, at most 63")
    return text


EXISTING_FILE = ExistingFileType()
NAME_TYPE = ParsedType("NAME", parse_name)
ADDRESS_TYPE = ParsedType("HOST:PORT", Address.parse)
BROKER_TYPE = ParsedType("HOST[:PORT]", lambda text: Address.parse(text, PUBLIC_PORT))
GATEWAY_TYPE = ParsedType("HOST[:PORT]", lambda text: Address.parse(text, CLUSTER_PORT))


listen_option = click.option(
    "--listen", "host", default=LOOPBACK, metavar="HOST",
    help="Address to listen on; 0.0.0.0 for other devices, which must have joined the cluster.",
)  # fmt: skip
threads_option = click.option(
    "--threads", type=ThreadsType(1, MAX_THREADS), default=AUTO_THREADS,
    help="Number of computing threads; auto: one for each core that this process may use.",
)  # fmt: skip
max_cores_option = click.option(
    "--max-cores",
    type=click.IntRange(1),
    help="Compute on at most this many cores, and leave the others to other programs.",
)
keys_option = click.option(
    "--keys", type=click.Path(file_okay=False, path_type=Path), show_default="~/.local/state/deepthings/node",
    help="Folder with the identity of this device, which 'deepthings join' writes.",
)  # fmt: skip
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
verbose_option = click.option(
    "-v", "--verbose", count=True, help="Log every tile; twice: also the libraries and all repeated lines."
)
