"""The encrypted login of a member at the broker of its gateway, which must prove that it is the gateway."""

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
"""Timeout of a connection with its handshake, which takes a Raspberry Pi less than a second."""

OTHER_CLUSTER = (
    "it is not the gateway of the cluster that this device has joined; if it has new keys, run 'deepthings invite' "
    "there, and the command that it prints here"
)


class GatewaySocket(ssl.SSLSocket):
    """The socket of a member. Nothing is sent before the other end has proved that it is the gateway."""

    def do_handshake(self, *args: Any, **named: Any) -> None:  # noqa: ANN401  (as ssl has it)
        """Shake hands. Raises PeerRefusedError for another member of the cluster, and for all others."""
        try:
            super().do_handshake(*args, **named)
        except ssl.SSLCertVerificationError as error:
            raise PeerRefusedError(OTHER_CLUSTER) from error
        _require_gateway(self.getpeercert(binary_form=True))


@dataclass(frozen=True, slots=True)
class MemberTls(Tls):
    """Encryption that trusts one authority and, of its members, only the gateway, at any address.

    The role in the certificate is checked, not an address, because gateways move. Validity dates are not checked,
    because a Raspberry Pi has no clock.
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
    """Return the encrypted address of a gateway's broker, which members use.

    The usual port in plain text is replaced by the usual encrypted port; other ports are kept.
    """
    return Address(broker.host, CLUSTER_TLS_PORT) if broker.port == CLUSTER_PORT else broker


def member_login(identity: NodeIdentity) -> Login:
    """Return the login of an edge that has joined."""
    return Login(edge_login_name(identity.name), identity.token, MemberTls(authority=identity.authority))


async def require_gateway_at(address: Address, identity: NodeIdentity) -> None:
    """Check, without a login, that the broker of this cluster's gateway answers at an address.

    Raises PeerRefusedError if another device answers, OSError or TimeoutError if none does.
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
