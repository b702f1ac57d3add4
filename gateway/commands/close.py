"""`deepthings close`: refuse devices without keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from gateway.authority.admin_client import ask_gateway
from gateway.authority.admin_messages import CloseRequest, DoneAnswer
from gateway.commands.administered_state import administered_state
from gateway.commands.model_options import kept_configuration_option, kept_state_option

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@kept_configuration_option
@kept_state_option
def command(configuration: Path | None, state: Path | None) -> None:
    """Close the running gateway's cluster to devices without keys, after an update from a release that had none.

    A new cluster is closed from the beginning.
    """
    answer = ask_gateway(administered_state(configuration, state), CloseRequest(), DoneAnswer)
    click.echo(f"{answer.done[0].upper()}{answer.done[1:]}")
