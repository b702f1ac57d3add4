"""`deepthings rotate`: new keys for the cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from gateway.authority.rotation import rotate_keys
from gateway.commands.administered_state import administered_state
from gateway.commands.model_options import kept_configuration_option, kept_state_option
from shared.process.installation import program_here
from shared.security.member_list import Role

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@kept_configuration_option
@kept_state_option
@click.option("--yes", is_flag=True, help="Do not ask.")
def command(configuration: Path | None, state: Path | None, *, yes: bool) -> None:
    """Make new keys for the cluster of a stopped gateway. All members are out, and must be invited again.

    For a gateway whose keys somebody may have copied. To remove one device, 'deepthings revoke' is enough.
    """
    folder = administered_state(configuration, state)
    if not yes:
        click.confirm("All devices must be invited and joined again, one by one. Make new keys?", abort=True)
    members = rotate_keys(folder)
    click.echo("The cluster has new keys, and no members. Start the gateway again.")
    for member in members:
        option = "" if member.role is Role.EDGE else f" --role {member.role.value}"
        click.echo(f"Then:  {program_here()} invite {member.name}{option}")
