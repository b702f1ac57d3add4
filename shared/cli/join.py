"""`deepthings join`: make this device a member of a cluster."""

from __future__ import annotations

import asyncio
import shlex
import sys
from typing import TYPE_CHECKING

import click

from shared.cli.common_options import NAME_TYPE, keys_option
from shared.cli.key_place import KeyPlace, key_place
from shared.errors import ConfigurationError
from shared.mqtt.topic_kinds import DEFAULT_PREFIX
from shared.network.host_name import default_edge_name
from shared.process.installation import program_here
from shared.security.join_messages import InvitationCode, JoinAnswer
from shared.security.joining import join_cluster
from shared.security.key_folder import find_identity
from shared.security.member_list import Role, describe

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@click.argument("code", required=False)
@click.option("--name", type=NAME_TYPE, help="The name of this device.  [default: the invitation's, or the host's]")
@keys_option
def command(code: str | None, name: str | None, keys: Path | None) -> None:
    """Join the cluster of a gateway, with the CODE that 'deepthings invite' printed there.

    This device makes a key of its own, which it never tells, and keeps what it gets in a folder that only its user can
    read. Without CODE it asks for it.
    """
    place = KeyPlace(keys) if keys is not None else key_place()
    invitation = InvitationCode.parse(code or _asked_code())
    before = _cluster_before(place.folder)
    place.prepare()
    with asyncio.Runner() as runner:
        identity, answer = runner.run(join_cluster(invitation, place.folder, name, default_edge_name()))
    place.hand_over()
    click.echo(f"This device is now {describe(answer.role, answer.name)} of the cluster at {invitation.address.host}.")
    if before not in {"", identity.authority_hash}:
        click.echo("It was a member of another cluster before.")
    click.echo(f"Its keys are in {place.folder}; they are for this device alone: do not copy them to another one.")
    click.echo(_next_step(answer, keys, place))


def _asked_code() -> str:
    """Return the code that is typed. Raises click.UsageError if nobody can type."""
    if not sys.stdin.isatty():
        raise click.UsageError("CODE is missing: 'deepthings invite' prints it at the gateway")
    return str(click.prompt("Code that 'deepthings invite' printed at the gateway"))


def _cluster_before(folder: Path) -> str:
    """Return the hash of the authority that this device had; "" for none that is usable."""
    try:
        identity = find_identity(folder)
    except ConfigurationError:
        return ""
    return identity.authority_hash if identity else ""


def _next_step(answer: JoinAnswer, keys: Path | None, place: KeyPlace) -> str:
    if place.service:
        return f"Next:  sudo systemctl restart {place.service}"
    options = f" --keys {shlex.quote(str(keys))}" if keys is not None else ""
    if answer.role is Role.CAMERA:
        return f"Next:  {program_here()} camera{options} --name {answer.name} --source URL --edge HOST:PORT"
    if answer.topic_prefix != DEFAULT_PREFIX:
        options += f" --topic-prefix {shlex.quote(answer.topic_prefix)}"
    return f"Next:  {program_here()} edge --listen 0.0.0.0{options}"
