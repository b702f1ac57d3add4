"""The TLS handshakes of clients and servers, which identify the peer of a connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.errors import PeerRefusedError
from shared.security.tls import handshake_reason
from shared.wire.tls_pipe import TlsPipe

if TYPE_CHECKING:
    from shared.security.data_security import DataSecurity, ExpectedPeer
    from shared.security.member_list import Member
    from shared.wire.pipe import Pipe


async def encrypt_as_client(pipe: Pipe, security: DataSecurity, expected: ExpectedPeer) -> tuple[TlsPipe, Member]:
    """Encrypt a connection with the expected member. Raises PeerRefusedError if any other peer answers."""
    encrypted = TlsPipe(pipe, security.client_context, server=False)
    await _shake_hands(encrypted)
    return encrypted, security.require(encrypted.certificate, expected)


async def encrypt_as_server(pipe: Pipe, security: DataSecurity, received: bytes) -> TlsPipe:
    """Encrypt a connection whose first bytes were received. Raises PeerRefusedError if the peer cannot be a member."""
    encrypted = TlsPipe(pipe, security.server_context, server=True, received=received)
    await _shake_hands(encrypted)
    return encrypted


async def _shake_hands(pipe: TlsPipe) -> None:
    try:
        await pipe.handshake()
    except TimeoutError:  # an OSError, too
        raise
    except OSError as error:
        raise PeerRefusedError(handshake_reason(error)) from error
