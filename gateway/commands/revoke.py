"""`deepthings revoke`: remove a device from the cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from gateway.authority.admin_client import ask_gateway
from gateway.authority.admin_messages import DoneAnswer, RevokeRequest
from gateway.commands.administered_state import administered_state
from gateway.commands.invite import INVITED_ROLES
from gateway.commands.model_options import kept_configuration_option, kept_state_option
from shared.cli.common_options import NAME_TYPE
from shared.security.member_list import Role

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@click.argument("node", type=NAME_TYPE)
@click.option("--role", type=click.Choice(INVITED_ROLES), help="The role of NODE, if two members have the name.")
@kept_configuration_option
@kept_state_option
def command(node: str, role: str | None, configuration: Path | None, state: Path | None) -> None:
    """Remove the member NODE from the running gateway's cluster; its connections end at once.

    Its keys are worth nothing from then on. It can be invited again.
    """
    request = RevokeRequest(name=node, role=Role(role) if role else None)
    answer = ask_gateway(administered_state(configuration, state), request, DoneAnswer)
    click.echo(f"{answer.done[0].upper()}{answer.done[1:]}.")
