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
"""Set for what systemd starts."""

insecure_option = click.option(
    "--insecure", is_flag=True,
    help="Use no keys, and no encryption: everybody on the network can see the cameras, and send wrong results.",
)  # fmt: skip

CONSEQUENCE = "everybody who can reach it can see your cameras and send wrong results"


def may_listen(host: str, device: str, *, keys: bool, insecure: bool) -> bool:
    """Return whether a process listens beyond this machine without keys; print a warning then.

    `device` is what messages call it. A service that was installed for a release without keys goes on, until a gateway
    refuses it. Raises ConfigurationError for any other that was not told to.
    """
    if is_loopback(host) or (keys and not insecure):
        return False
    return _insecure(insecure, f"{device} listens on {host} without keys", "use --listen 127.0.0.1")


def may_connect(host: str, device: str, *, keys: bool, insecure: bool) -> bool:
    """Return whether a process connects to another machine without keys. As `may_listen`."""
    if is_loopback(host) or (keys and not insecure):
        return False
    return _insecure(insecure, f"{device} sends pictures to {host} without keys", "start it beside its edge")


def may_take_part(gateway: Address, device: str, *, keys: bool, insecure: bool) -> bool:
    """Return whether an edge works for the gateway of another machine without keys. As `may_listen`."""
    if is_loopback(gateway.host) or (keys and not insecure) or gateway.host == own_address(gateway):
        return False
    deed = f"{device} works for the gateway at {gateway.host} without keys"
    return _insecure(insecure, deed, "start it on the gateway's machine")


def _insecure(told: bool, deed: str, other_way: str) -> bool:
    if not told and SERVICE_VARIABLE not in os.environ:
        raise ConfigurationError(
            f"{deed}: {CONSEQUENCE}. Type 'deepthings invite' at the gateway and the command that it prints here; or "
            f"{other_way}, or write --insecure if that is what you want"
        )
    cure = "" if told else "; type 'deepthings invite' at the gateway, and the command that it prints here"
    click.echo(f"Warning: {deed}: {CONSEQUENCE}{cure}", err=True)
    return True
