"""`deepthings nodes`: list the members of the cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from gateway.authority.admin_client import ask_gateway
from gateway.authority.admin_messages import ListedNode, NodesAnswer, NodesRequest
from gateway.commands.administered_state import administered_state
from gateway.commands.model_options import kept_configuration_option, kept_state_option
from shared.cli.common_options import json_option

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SHOWN_KEY_DIGITS = 16
"""Shown digits of a key's hash, which has 64 hexadecimal digits: enough to tell keys apart."""

PRESENCE = {True: "online", False: "offline", None: ""}


@click.command()
@kept_configuration_option
@kept_state_option
@json_option
def command(configuration: Path | None, state: Path | None, *, as_json: bool) -> None:
    """List the members of the running gateway's cluster: name, role, key, and whether they are online."""
    answer = ask_gateway(administered_state(configuration, state), NodesRequest(), NodesAnswer)
    click.echo(answer.model_dump_json() if as_json else "\n".join(node_lines(answer)))


def node_lines(answer: NodesAnswer) -> Iterator[str]:
    """Yield the lines of a table of nodes, and a sentence on what to do if the cluster is open."""
    rows = [("NAME", "ROLE", "KEY", ""), *(_row(node) for node in answer.nodes)]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in rows:
        yield "  ".join(text.ljust(width) for text, width in zip(row, [*widths, 0], strict=True)).rstrip()
    if answer.open:
        yield ""
        yield (
            "The cluster is open: devices without keys take part, too. When all have joined, run 'deepthings close'."
        )


def _row(node: ListedNode) -> tuple[str, str, str, str]:
    return node.name, node.role.value, node.key_hash[:SHOWN_KEY_DIGITS] or "no key", PRESENCE[node.online]
