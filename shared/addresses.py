"""Host and port, as people write them."""

from __future__ import annotations

import ipaddress
import socket
from typing import NamedTuple

from shared.errors import ConfigurationError

LOOPBACK = "127.0.0.1"


class Address(NamedTuple):
    """Where something listens."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str, default_port: int | None = None) -> Address:
        """Read "host:port", "[v6]:port", or "host" when there is a default port. Raises ConfigurationError."""
        host, colon, port = text.rpartition(":")
        if not colon or (host.count(":") and not host.startswith("[")):
            host, port = text, "" if default_port is None else str(default_port)
        host = host.strip("[]")
        if not host or not port.isdigit() or not 0 < int(port) < 65536:
            raise ConfigurationError(f"address {text!r} is not HOST:PORT; write for example 192.168.1.10:1883")
        return cls(host, int(port))

    @property
    def family(self) -> socket.AddressFamily:
        return socket.AF_INET6 if ":" in self.host else socket.AF_INET

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_wildcard(host: str) -> bool:
    """Whether `host` means every address of this machine."""
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def address_towards(peer: Address) -> str:
    """The address of this machine by which `peer` sees it, found without sending anything."""
    with socket.socket(peer.family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((peer.host, peer.port))
        except OSError:
            return LOOPBACK
        return str(probe.getsockname()[0])
