"""`deepthings service`: run a gateway, an edge or cameras as systemd services of this device."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

import click

from shared.cli.common_options import NAME_TYPE
from shared.cli.key_place import SERVICES_WITH_KEYS, homes_of_caller, place_of_service, take_over_identity
from shared.cli.role_arguments import checked_arguments
from shared.errors import ConfigurationError, DeepThingsError
from shared.files.environment_file import read_environment_file
from shared.systemd import units
from shared.systemd.accounts import (
    SERVICE_USER,
    ServiceAccount,
    choose_account,
    device_groups,
    first_barrier,
    make_account,
)
from shared.systemd.unit import ENVIRONMENT_FILE, SERVICE_ROLES, Unit, unit_name

if TYPE_CHECKING:
    from collections.abc import Sequence

VISIBLE_SOURCE_WARNING = (
    "every user of this device can read a password in --source, in the unit and in the list of processes; a camera"
    " with a password belongs in the gateway's configuration"
)

CONFIGURATION_CHECK_TIMEOUT_S = 120.0
"""Long enough to open a model and read a configuration on a small device."""


@click.group()
def command() -> None:
    """Run a gateway, an edge or a camera as a service: from the start of the device on, and again after a failure."""


@command.command(context_settings={"ignore_unknown_options": True})
@click.option("--print", "prints", is_flag=True, help="Print the unit, and change nothing.")
@click.option(
    "--user", metavar="USER", help="The user of the service.  [default: deepthings, or the installation's owner]"
)
@click.argument("role", type=click.Choice(SERVICE_ROLES))
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def install(context: click.Context, *, prints: bool, user: str | None, role: str, options: Sequence[str]) -> None:
    """Write the systemd unit of ROLE and start it. OPTIONS are those of 'deepthings ROLE'; see its --help.

    Run again with other options, it replaces the unit. Each camera has a unit of its own, by its --name.
    """
    arguments, given = checked_arguments(_command_of(context, role), role, options)
    executable = Path(sysconfig.get_path("scripts")) / "deepthings"
    if not prints:
        units.require_control(shlex.join([str(executable), *sys.argv[1:]]))
    if "@" in given.get("source", ""):
        click.echo(f"Warning: {VISIBLE_SOURCE_WARNING}", err=True)
    account = _account_of_service(executable, user, given, prints=prints)
    unit = Unit(
        role=role,
        executable=executable,
        arguments=arguments,
        user=account.name,
        groups=device_groups(),
        camera=given["name"] if role == "camera" else "",
        folder=Path(given["config"]).parent if "config" in given else None,
        own_folders=account.is_ours,
        environment=account.environment(),
    )
    if prints:
        print(unit.text(units.systemd_version()), end="")  # noqa: T201  (it was asked for)
        return
    if "config" in given:
        _check_configuration(unit, account, given["config"])
    if role in SERVICES_WITH_KEYS:
        _give_keys(unit)
    path = units.install_unit(unit)
    click.echo(f"{unit.name} runs as user {account.name}, and starts with this device ({path}).")
    if not account.is_ours and user is None:
        click.echo(f"It has no user of its own, as only {account.name} can read {executable}.")
    click.echo(f"Its log:  journalctl -u {unit.name} -f")


@command.command()
@click.argument("role", type=click.Choice(SERVICE_ROLES))
@click.option("--name", type=NAME_TYPE, help="The name of the camera.")
def uninstall(role: str, name: str | None) -> None:
    """Stop the service of ROLE, and remove its systemd unit. Its state and cache stay."""
    if (role == "camera") is (name is None):
        cameras = [unit.camera for unit in units.installed_units() if unit.role == "camera"]
        known = f"; there are {', '.join(cameras)}" if cameras else ""
        raise click.UsageError(f"--name is required for a camera, and is only for cameras{known}")
    executable = Path(sysconfig.get_path("scripts")) / "deepthings"
    units.require_control(shlex.join([str(executable), *sys.argv[1:]]))
    unit = unit_name(role, name or "")
    if not units.uninstall_unit(unit):
        raise DeepThingsError(f"{unit}: no such service is installed on this machine")
    click.echo(f"{unit} is removed. Its state folder and its cache stay.")


def _give_keys(unit: Unit) -> None:
    """Give a service the identity with which this device has joined a cluster, if there is one."""
    place = place_of_service(unit)
    source = take_over_identity(place, homes_of_caller())
    if source is not None:
        click.echo(f"The keys of this device, with which it has joined, are moved from {source} to {place.folder}.")


def _account_of_service(executable: Path, user: str | None, given: dict[str, str], *, prints: bool) -> ServiceAccount:
    """Return the account that the service will run as; make the user "deepthings" if that is needed.

    Raises ConfigurationError if the account cannot be used. If the unit is only printed, nothing is made, and a warning
    is printed instead of the error.
    """
    try:
        account = choose_account(executable, user)
        if account.is_ours and not prints:
            account = make_account()
        _require_readable(account, given)
    except ConfigurationError as error:
        if not prints:
            raise
        click.echo(f"Warning: {error}", err=True)
        return ServiceAccount(user or SERVICE_USER)
    return account


def _command_of(context: click.Context, role: str) -> click.Command:
    """Return the command of the role, as the console script runs it."""
    root = context.find_root()
    assert isinstance(root.command, click.Group)
    found = root.command.get_command(root, role)
    assert found is not None
    return found


def _require_readable(account: ServiceAccount, given: dict[str, str]) -> None:
    """Raise ConfigurationError if the service has no permission to read a file in its options."""
    files = [Path(value) for value in given.values() if value.startswith("/") and Path(value).is_file()]
    closed = first_barrier(files, account)
    if closed is not None:
        cure = (
            f"move what is in it to /etc/{SERVICE_USER}" if closed.is_dir() else f"run 'chown {account.name} {closed}'"
        )
        raise ConfigurationError(
            f"{closed}: user {account.name} of the service cannot read it; {cure}, or name another user with --user"
        )


def _check_configuration(unit: Unit, account: ServiceAccount, file: str) -> None:
    """Check the configuration as the user of the service, with the environment of the service.

    Raises ConfigurationError with all mistakes.
    """
    environment = {
        "PATH": os.defpath, "HOME": str(account.home), "LANG": "C.UTF-8", **unit.environment,
        **read_environment_file(ENVIRONMENT_FILE),
    }  # fmt: skip
    done = subprocess.run(
        [str(unit.executable), "check-config", file], capture_output=True, text=True, check=False, cwd="/",
        env=environment, timeout=CONFIGURATION_CHECK_TIMEOUT_S, stdin=subprocess.DEVNULL, user=account.uid,
        group=account.gid, extra_groups=sorted(account.groups),
    )  # fmt: skip
    if done.returncode:
        mistakes = done.stderr.strip() or f"{file} cannot be checked"
        raise ConfigurationError(f"as user {account.name} of the service:\n{mistakes}")
