"""`deepthings invite`: let a device join the cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from gateway.authority.admin_client import ask_gateway
from gateway.authority.admin_messages import InviteAnswer, InviteRequest
from gateway.commands.administered_state import administered_state
from gateway.commands.model_options import kept_configuration_option, kept_state_option
from shared.cli.common_options import NAME_TYPE, json_option
from shared.process.installation import program_here
from shared.security.member_list import Role

if TYPE_CHECKING:
    from pathlib import Path

INVITED_ROLES = (Role.EDGE.value, Role.CAMERA.value)


@click.command()
@click.argument("name", type=NAME_TYPE, required=False)
@click.option(
    "--role", type=click.Choice(INVITED_ROLES), default=Role.EDGE.value,
    help="An edge computes, and serves cameras; a camera only sends its pictures to an edge.",
)  # fmt: skip
@click.option("--again", is_flag=True, help="Let the device take the place of the member NAME.")
@click.option("--host", default="", help="This gateway's address for the device.  [default: the one in its network]")
@kept_configuration_option
@kept_state_option
@json_option
def command(
    name: str | None, role: str, host: str, configuration: Path | None, state: Path | None, *, again: bool,
    as_json: bool,
) -> None:  # fmt: skip
    """Invite a device into the cluster of the running gateway, and print the command to paste on the device.

    The device is called NAME, or after its host. The code is for one device, for an hour.
    """
    if again and name is None:
        raise click.UsageError("--again needs the NAME of the member whose place the device takes")
    request = InviteRequest(role=Role(role), name=name, again=again, host=host)
    answer = ask_gateway(administered_state(configuration, state), request, InviteAnswer)
    line = f"{program_here()} join {answer.code}"
    if as_json:
        click.echo(answer.model_copy(update={"command": line}).model_dump_json())
        return
    click.echo(f"Paste this on the device, within {answer.ends_in_s / 60:.0f} minutes:\n")
    click.echo(f"    {line}\n")
    click.echo("It lets in one device. Show it to nobody else.")
