"""`deepthings user`: logins of people and automations at the gateway's own broker."""

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
    """Add, list and remove logins of people and automations, such as Home Assistant, at the gateway's own broker.

    With a login, a program reads what is public, sets cameras, and sends requests. A broker of the house has logins of
    its own.
    """


@command.command()
@click.argument("name")
@click.option("--password-stdin", is_flag=True, help="Read the password from the first line of the standard input.")
@kept_configuration_option
@kept_state_option
@json_option
def add(name: str, configuration: Path | None, state: Path | None, *, password_stdin: bool, as_json: bool) -> None:
    """Add the login NAME to the running gateway, and print its password, once. It holds at once.

    A login that exists gets a new password.
    """
    folder = administered_state(configuration, state)
    password = _typed_password() if password_stdin else None
    answer = ask_gateway(folder, AddUserRequest(name=name, password=password), UserAnswer)
    if as_json:
        click.echo(answer.model_dump_json(exclude_defaults=True))
        return
    click.echo(f"User:      {answer.name}")
    if answer.password:
        click.echo(f"Password:  {answer.password}    (shown only now; the gateway keeps its hash)")
    click.echo(f"Broker:    {answer.host}, port {answer.port}")
    click.echo(f"Encrypted: port {answer.tls_port}, with the authority in {folder / KEYS_FOLDER / AUTHORITY_FILE}")


@command.command("list")
@kept_configuration_option
@kept_state_option
@json_option
def list_users(configuration: Path | None, state: Path | None, *, as_json: bool) -> None:
    """List the logins."""
    names = sorted(LoginFile(administered_state(configuration, state) / USERS_FILE).read())
    if as_json:
        click.echo(json.dumps({"users": names}))
        return
    click.echo("\n".join(names) or "no logins; add one with 'deepthings user add homeassistant'")


@command.command()
@click.argument("name")
@kept_configuration_option
@kept_state_option
def remove(name: str, configuration: Path | None, state: Path | None) -> None:
    """Remove the login NAME from the running gateway; its connections end at once."""
    answer = ask_gateway(administered_state(configuration, state), RemoveUserRequest(name=name), DoneAnswer)
    click.echo(f"{answer.done[0].upper()}{answer.done[1:]}.")


def _typed_password() -> str:
    """Return the first line of the standard input. Raises ConfigurationError if there is none."""
    line = sys.stdin.readline(MAX_PASSWORD_BYTES + 2)
    if not line.rstrip("\r\n"):
        raise ConfigurationError("there is no password on the standard input")
    return line.rstrip("\r\n")
