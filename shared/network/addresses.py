"""Addresses of a host and a port: parsing, formatting, and the addresses of this machine."""

from __future__ import annotations

import ipaddress
import re
import socket
from typing import NamedTuple

from shared.errors import ConfigurationError
from shared.network.hosts import format_address, is_loopback, is_wildcard

LOOPBACK = "127.0.0.1"
LOOPBACK_V6 = "::1"


class Address(NamedTuple):
    """A host and a port; an empty host stands for the broker's host where noted."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str, default_port: int | None = None) -> Address:
        """Read "host:port", "[v6]:port", or "host" when there is a default port. Raises ConfigurationError."""
        match = re.fullmatch(r"(\[(?P<v6>[^\]]+)\]|(?P<host>[^:\s/\[\]]+))(:(?P<port>[0-9]{1,5}))?", text.strip())
        host = (match["v6"] or match["host"]) if match else text if _is_ipv6(text) else ""
        port = match["port"] if match and match["port"] else default_port
        if not host or port is None or not 0 < int(port) < 65536 or (match and match["v6"] and not _is_ipv6(host)):
            raise ConfigurationError(f"address {text!r} is not HOST:PORT; write for example 192.168.1.10:1883")
        return cls(host, int(port))

    @property
    def family(self) -> socket.AddressFamily:
        return socket.AF_INET6 if ":" in self.host else socket.AF_INET

    def seen_from(self, broker: Address) -> Address:
        """Return the address for a client of `broker`: an empty host becomes the broker's host."""
        return Address(self.host or broker.host, self.port)

    def __str__(self) -> str:
        return format_address(self.host, self.port)


def _is_ipv6(text: str) -> bool:
    try:
        return ipaddress.ip_address(text).version == 6
    except ValueError:
        return False


def local_address(listen: Address) -> Address:
    """Return the address at which processes of this machine reach a listener.

    For a wildcard host that is loopback, of the same version of IP: a listener on `::` has no IPv4 addresses.
    """
    if not is_wildcard(listen.host):
        return listen
    return Address(LOOPBACK_V6 if ":" in listen.host else LOOPBACK, listen.port)


def advertised_address(listen: Address, broker: Address) -> Address:
    """Return the address to publish for a listener; a wildcard host becomes our address on the route to the broker.

    On the broker's own machine this would be loopback, which other machines cannot reach. The host is empty then, which
    stands for the broker's host.
    """
    if not is_wildcard(listen.host):
        return listen
    host = own_address(broker)
    return Address("" if is_loopback(host) else host, listen.port)


UNASSIGNED_ADDRESS = Address("192.0.2.1", 9)
"""An address that no machine has (RFC 5737); the route to it leads through the network of the home."""


def network_address() -> str:
    """Return this machine's address on its network; empty if it has none."""
    return own_address(UNASSIGNED_ADDRESS)


def own_address(broker: Address) -> str:
    """Return this machine's address on the route to the broker; empty if there is no route."""
    try:
        with socket.socket(broker.family, socket.SOCK_DGRAM) as probe:  # finds the route, sends nothing
            probe.connect((broker.host, broker.port))
            return str(probe.getsockname()[0])
    except (OSError, OverflowError, ValueError):  # no route or unknown host: a connection attempt reports it
        return ""
