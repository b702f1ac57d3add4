"""The login of a member of a cluster at its gateway's broker: encrypted, and only with the gateway of its cluster."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shared.errors import PeerRefusedError
from shared.mqtt.broker_login import Login, Tls, TlsContext
from shared.mqtt.client_ids import edge_login_name
from shared.network.addresses import Address
from shared.network.ports import CLUSTER_PORT, CLUSTER_TLS_PORT
from shared.security.certificates import IGNORE_CLOCK, der_of, member_in
from shared.security.member_list import Role

if TYPE_CHECKING:
    from shared.security.node_identity import NodeIdentity


PROOF_TIMEOUT_S = 5.0
"""For a connection and a handshake, which takes a Pi below a second."""

OTHER_CLUSTER = (
    "it is not the gateway of the cluster that this device has joined; if it has new keys, run 'deepthings invite' "
    "there, and the command that it prints here"
)


class GatewaySocket(ssl.SSLSocket):
    """The socket of a member, which nothing is written to before the other end has shown that it is the gateway."""

    def do_handshake(self, *args: Any, **named: Any) -> None:  # noqa: ANN401  (as ssl has it)
        """Shake hands. Raises PeerRefusedError for another member of the cluster, and for all others."""
        try:
            super().do_handshake(*args, **named)
        except ssl.SSLCertVerificationError as error:
            raise PeerRefusedError(OTHER_CLUSTER) from error
        _require_gateway(self.getpeercert(binary_form=True))


@dataclass(frozen=True, slots=True)
class MemberTls(Tls):
    """Encryption that trusts one authority, and of its members only the gateway, wherever that is.

    A name in the certificate counts, not an address: gateways move. The clock does not count: a Pi has none.
    """

    authority: bytes = b""

    def context(self) -> TlsContext:
        """Return the context for the socket."""
        context = TlsContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.check_hostname = False
        context.verify_flags |= IGNORE_CLOCK
        context.sslsocket_class = GatewaySocket
        context.load_verify_locations(cadata=der_of(self.authority))
        return context


def encrypted_broker(broker: Address) -> Address:
    """Return the address of a gateway's broker for a member: the usual port in plain text stands for the encrypted."""
    return Address(broker.host, CLUSTER_TLS_PORT) if broker.port == CLUSTER_PORT else broker


def member_login(identity: NodeIdentity) -> Login:
    """Return the login of an edge that has joined."""
    return Login(edge_login_name(identity.name), identity.token, MemberTls(authority=identity.authority))


async def require_gateway_at(address: Address, identity: NodeIdentity) -> None:
    """Return if the broker of the gateway of this cluster answers at the address; it is told nothing.

    Raises PeerRefusedError for everybody else, OSError, and TimeoutError.
    """
    context = MemberTls(authority=identity.authority).context()
    async with asyncio.timeout(PROOF_TIMEOUT_S):
        try:
            _, writer = await asyncio.open_connection(*address, ssl=context)
        except ssl.SSLCertVerificationError as error:
            raise PeerRefusedError(OTHER_CLUSTER) from error
    try:
        _require_gateway(writer.get_extra_info("ssl_object").getpeercert(binary_form=True))
    finally:
        writer.transport.abort()


def _require_gateway(certificate: bytes | None) -> None:
    """Raise PeerRefusedError unless this certificate, whose signature was verified, is the gateway's."""
    shown = member_in(certificate or b"")
    if shown.role is not Role.GATEWAY:
        raise PeerRefusedError(f"{shown} answers there, and not the gateway of this cluster")
