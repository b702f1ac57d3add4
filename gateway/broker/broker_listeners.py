"""The listeners of the gateway's own broker, and their sections in its configuration. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.network.addresses import Address, local_address

if TYPE_CHECKING:
    from pathlib import Path

MAX_EDGE_CONNECTIONS = 256
"""Connections of each listener for edges: one of each edge, one more while an edge claims its name, and commands.

All listeners together stay below the 1024 files that a process may usually have open. At that limit the broker could
not serve anybody."""

MAX_PUBLIC_CONNECTIONS = 100
"""Connections of each listener for people and automations. A client that does not read costs some megabytes."""


@dataclass(frozen=True, slots=True)
class BrokerListener:
    """An address on which the broker listens, and a sentence that says what to do if its port is in use.

    `logins` and `rules` are names of files with the logins and rules of its clients; without them everybody may do
    everything. `anonymous` clients need no login.
    """

    address: Address
    cure: str
    max_connections: int = MAX_EDGE_CONNECTIONS
    logins: str | None = None
    rules: str | None = None
    anonymous: bool = True
    certificate: str | None = None
    """The first part of the names of files with the certificate and key that it shows; None: plain text."""
    tls: str = "tlsv1.3"
    """The oldest version of TLS that is spoken."""

    def section(self, folder: Path) -> str:
        """Return the listener's lines in Mosquitto's configuration, whose other files are in `folder`."""
        lines = [
            f"listener {self.address.port} {self.address.host}",
            f"max_connections {self.max_connections}",
            f"allow_anonymous {'true' if self.anonymous else 'false'}",
        ]
        if self.logins is not None:
            lines.append(f"password_file {folder / self.logins}")
        if self.rules is not None:
            lines.append(f"acl_file {folder / self.rules}")
        if self.certificate is not None:
            lines += [
                f"certfile {folder / certificate_file(self.certificate)}",
                f"keyfile {folder / private_key_file(self.certificate)}",
                "require_certificate false",  # a login is enough, and works with every client
                f"tls_version {self.tls}",
            ]
        return "\n".join(lines)


def certificate_file(name: str) -> str:
    """Return the name of the file of a listener's certificate."""
    return f"{name}.pem"


def private_key_file(name: str) -> str:
    """Return the name of the file of a listener's key."""
    return f"{name}-key.pem"


EDGE_CERTIFICATE, PUBLIC_CERTIFICATE = "gateway", "public"
"""Names of the two certificates: for edges, which check the gateway's role and name, and for people and automations,
whose programs check the host."""

GATEWAY_LOGINS, GATEWAY_RULES = "gateway-logins", "gateway-rules"
EDGE_LOGINS, EDGE_RULES = "edge-logins", "edge-rules"
USER_LOGINS, USER_RULES = "user-logins", "user-rules"


def cluster_listener(address: Address, *, secured: bool = False, anonymous: bool = True) -> BrokerListener:
    """Return the listener in plain text, for the gateway itself and, if it is `anonymous`, for edges without keys.

    Other devices can reach it also if it is not `anonymous`: an edge without keys is refused there, and so learns that
    it needs keys. `secured`: it has logins and rules.
    """
    return BrokerListener(
        address, "is another gateway running there? Stop it, or choose another --cluster-port",
        logins=GATEWAY_LOGINS if secured else None, rules=GATEWAY_RULES if secured else None, anonymous=anonymous,
    )  # fmt: skip


def edge_listener(address: Address) -> BrokerListener:
    """Return the encrypted listener of the edges that have joined."""
    return BrokerListener(
        address, "is another gateway running there? Stop it, or choose another --cluster-tls-port",
        logins=EDGE_LOGINS, rules=EDGE_RULES, anonymous=False, certificate=EDGE_CERTIFICATE,
    )  # fmt: skip


def public_listener(
    address: Address, *, secured: bool = False, anonymous: bool = True, encrypted: bool = False
) -> BrokerListener:
    """Return a listener for people and automations; with logins and rules if it is `secured`."""
    broker, option = local_address(address), "--tls-port" if encrypted else "--port"
    return BrokerListener(
        address, f"is another broker running there? Use it with --broker {broker}, or choose another {option}",
        MAX_PUBLIC_CONNECTIONS, logins=USER_LOGINS if secured else None, rules=USER_RULES if secured else None,
        anonymous=anonymous,
        certificate=PUBLIC_CERTIFICATE if encrypted else None, tls="tlsv1.2",  # older programs do not know 1.3
    )  # fmt: skip
