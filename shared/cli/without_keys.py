"""The limits of a process without keys: it reaches, and is reached by, this machine only, unless told otherwise."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from shared.errors import ConfigurationError
from shared.network.addresses import own_address
from shared.network.hosts import is_loopback

if TYPE_CHECKING:
    from shared.network.addresses import Address

SERVICE_VARIABLE = "NOTIFY_SOCKET"
"""Environment variable that systemd sets for the services that it starts."""

insecure_option = click.option(
    "--insecure", is_flag=True,
    help="Use no keys, and no encryption: everybody on the network can see the cameras, and send wrong results.",
)  # fmt: skip

CONSEQUENCE = "everybody who can reach it can see your cameras and send wrong results"


def may_listen(host: str, device: str, *, keys: bool, insecure: bool) -> bool:
    """Return whether a process will listen beyond this machine without keys; if so, print a warning.

    `device` names the process in messages. `keys`: it has keys. `insecure`: the option --insecure was given.
    Without this option only a systemd service may do so: it may have been installed by a release without keys, and goes
    on until a gateway refuses it. Raises ConfigurationError for any other process.
    """
    if is_loopback(host) or (keys and not insecure):
        return False
    return _warn_or_refuse(f"{device} listens on {host} without keys", "use --listen 127.0.0.1", insecure=insecure)


def may_connect(host: str, device: str, *, keys: bool, insecure: bool) -> bool:
    """Return whether a process will connect to another machine without keys; see `may_listen`."""
    if is_loopback(host) or (keys and not insecure):
        return False
    return _warn_or_refuse(
        f"{device} sends pictures to {host} without keys", "start it beside its edge", insecure=insecure
    )


def may_take_part(gateway: Address, device: str, *, keys: bool, insecure: bool) -> bool:
    """Return whether an edge will work for the gateway of another machine without keys; see `may_listen`."""
    if is_loopback(gateway.host) or (keys and not insecure) or gateway.host == own_address(gateway):
        return False
    return _warn_or_refuse(
        f"{device} works for the gateway at {gateway.host} without keys",
        "start it on the gateway's machine",
        insecure=insecure,
    )


def _warn_or_refuse(risk: str, alternative: str, *, insecure: bool) -> bool:
    """Print a warning about a risk and return True. Raises ConfigurationError if the user did not allow it."""
    if not insecure and SERVICE_VARIABLE not in os.environ:
        raise ConfigurationError(
            f"{risk}: {CONSEQUENCE}. Type 'deepthings invite' at the gateway and the command that it prints here; or "
            f"{alternative}, or write --insecure if that is what you want"
        )
    cure = "" if insecure else "; type 'deepthings invite' at the gateway, and the command that it prints here"
    click.echo(f"Warning: {risk}: {CONSEQUENCE}{cure}", err=True)
    return True
