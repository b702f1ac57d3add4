"""`deepthings user`: logins of people and automations at the gateway's own broker, and at its page."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import click

from gateway.authority.admin_client import ask_gateway
from gateway.authority.admin_messages import AddUserRequest, DoneAnswer, RemoveUserRequest, UserAnswer
from gateway.authority.authority import KEYS_FOLDER
from gateway.authority.broker_logins import USERS_FILE
from gateway.broker.logins import MAX_PASSWORD_BYTES, LoginFile
from gateway.commands.administered_state import administered_state
from gateway.commands.model_options import kept_configuration_option, kept_state_option
from shared.cli.common_options import json_option
from shared.errors import ConfigurationError
from shared.security.node_identity import AUTHORITY_FILE

if TYPE_CHECKING:
    from pathlib import Path


@click.group()
def command() -> None:
    """Add, list and remove logins of people and automations, such as Home Assistant.

    They are for the gateway's own broker and for its page. Who has one sees what is public, sets cameras, and sends
    requests. A broker of the house has logins of its own; the page has these then, too.
    """


@command.command()
@click.argument("name")
@click.option("--password-stdin", is_flag=True, help="Read the password from the first line of the standard input.")
@click.option("--read-only", is_flag=True, help="It may look at everything that is public, and change nothing.")
@kept_configuration_option
@kept_state_option
@json_option
def add(
    name: str, configuration: Path | None, state: Path | None, *, password_stdin: bool, read_only: bool, as_json: bool
) -> None:
    """Add the login NAME to the running gateway, and print its password, once. It holds at once.

    A login that exists gets a new password, and may do what is said now. Who uses the old password is out.
    """
    folder = administered_state(configuration, state)
    password = _read_password() if password_stdin else None
    answer = ask_gateway(folder, AddUserRequest(name=name, password=password, read_only=read_only), UserAnswer)
    if as_json:
        click.echo(answer.model_dump_json(exclude_defaults=True))
        return
    click.echo(f"User:      {answer.name}")
    if answer.password:
        click.echo(f"Password:  {answer.password}    (shown only now; the gateway keeps its hash)")
    if read_only:
        click.echo("May:       look, and change nothing")
    if answer.port:
        click.echo(f"Broker:    {answer.host}, port {answer.port}")
        click.echo(f"Encrypted: port {answer.tls_port}, with the authority in {folder / KEYS_FOLDER / AUTHORITY_FILE}")
    else:
        click.echo("Broker:    that of the house has logins of its own")
    if answer.page:
        click.echo(f"Page:      {answer.page}")


@command.command("list")
@kept_configuration_option
@kept_state_option
@json_option
def list_users(configuration: Path | None, state: Path | None, *, as_json: bool) -> None:
    """List the logins."""
    logins = LoginFile(administered_state(configuration, state) / USERS_FILE).read()
    if as_json:
        readers = sorted(name for name, login in logins.items() if not login.may_change)
        click.echo(json.dumps({"users": sorted(logins), "read_only": readers}))
        return
    lines = [name if login.may_change else f"{name} (read-only)" for name, login in sorted(logins.items())]
    click.echo("\n".join(lines) or "no logins; add one with 'deepthings user add homeassistant'")


@command.command()
@click.argument("name")
@kept_configuration_option
@kept_state_option
def remove(name: str, configuration: Path | None, state: Path | None) -> None:
    """Remove the login NAME from the running gateway; its connections end at once."""
    answer = ask_gateway(administered_state(configuration, state), RemoveUserRequest(name=name), DoneAnswer)
    click.echo(f"{answer.done[0].upper()}{answer.done[1:]}.")


def _read_password() -> str:
    """Return the first line of the standard input. Raises ConfigurationError if it is empty."""
    line = sys.stdin.readline(MAX_PASSWORD_BYTES + 2)
    if not line.rstrip("\r\n"):
        raise ConfigurationError("there is no password on the standard input; write it there, in one line")
    return line.rstrip("\r\n")
