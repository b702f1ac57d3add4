"""What is fuzzed, by name: each takes any bytes, and raises nothing but what callers expect."""

from __future__ import annotations

import base64
import contextlib
import functools
import ssl
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gateway.authority.authority import Authority
from gateway.authority.device_invitations import Invitation, _hash
from gateway.authority.join_admission import Admission, ClusterAccess
from gateway.authority.join_server import JoinServer
from shared.errors import DeepThingsError
from shared.network.addresses import Address
from shared.security import joining
from shared.security.certificates import member_in
from shared.security.issuing import public_key_hash
from shared.security.join_messages import AuthorityAnswer, InvitationCode, JoinAnswer, JoinRefusal
from shared.security.member_list import MemberList, Role
from shared.security.tls import handshake_reason, server_context
from shared.wire.codec import MAX_HEADER_BYTES, PREFIX_BYTES, decode_prefix
from shared.wire.headers import HEADERS

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.payloads.base import Message

SECRET = "a" * 26
"""Of the invitation that is open: the corpus knows it, so that all of a request is tried."""

PLACE = Address("192.0.2.1", 7885)

_KIND_AT = 5
"""In a prefix, behind magic and version."""


_FOLDER = tempfile.TemporaryDirectory(prefix="deepthings-fuzz-")


class _Members:
    """A list of members that is kept nowhere."""

    def __init__(self) -> None:
        self.list = MemberList()

    def add(self, member: Any) -> None:
        self.list = MemberList().with_member(member)


@functools.cache
def _authority() -> Authority:
    return Authority(Path(_FOLDER.name) / "keys")


def join_request(data: bytes) -> None:
    """Answer a line at the join port: only the device with the code becomes a member."""
    members: Any = _Members()
    admission = Admission(_authority(), members, ClusterAccess(7886, "deepthings"), lambda: 0.0)
    admission.invitations._by_hash[_hash(SECRET)] = Invitation(Role.EDGE, None, again=False, ends_at=1.0)
    server = JoinServer.__new__(JoinServer)
    server._authority, server._admission = _authority(), admission
    answer = server._answer(data, "192.0.2.2")
    assert isinstance(answer, (AuthorityAnswer, JoinAnswer, JoinRefusal))
    assert not isinstance(answer, JoinAnswer) or SECRET.encode() in data


def join_answer(data: bytes) -> None:
    """Read an answer, which comes from anybody as long as the gateway has not shown who it is."""
    kinds: tuple[type[Message], ...] = (AuthorityAnswer, JoinAnswer)
    for kind in kinds:
        with contextlib.suppress(DeepThingsError):
            joining._answer_in(data, PLACE, kind)


def invitation_code(data: bytes) -> None:
    """Read a code as it is typed; one that is read is written as it was meant."""
    with contextlib.suppress(DeepThingsError):
        code = InvitationCode.parse(data.decode("utf-8", "replace"))
        assert InvitationCode.parse(str(code)) == code


def certificate(data: bytes) -> None:
    """Read role, name and key of a certificate."""
    with contextlib.suppress(DeepThingsError):
        member_in(data)


def public_key(data: bytes) -> None:
    """Read the public key of a device that has a code."""
    with contextlib.suppress(DeepThingsError):
        body = base64.b64encode(data).decode("ascii")
        public_key_hash(f"-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n".encode())


def data_message(data: bytes) -> None:
    """Read a message of the data plane, which an open cluster takes from anybody; one that is read is as it was."""
    if len(data) < PREFIX_BYTES:
        return
    with contextlib.suppress(DeepThingsError):
        prefix = decode_prefix(data[:PREFIX_BYTES])
        assert prefix.header_bytes <= MAX_HEADER_BYTES
    with contextlib.suppress(DeepThingsError):  # of whatever kind: that no prefix is right must not end each try
        kind = HEADERS[list(HEADERS)[data[_KIND_AT] % len(HEADERS)]]
        header = kind.decode(data[PREFIX_BYTES:])
        assert kind.decode(header.encode()) == header


@functools.cache
def _context() -> ssl.SSLContext:
    return server_context(_authority().identity)


def tls_greeting(data: bytes) -> None:
    """Take what a stranger sends instead of a handshake: none ends well without a certificate."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    incoming.write(data)
    end = _context().wrap_bio(incoming, outgoing, server_side=True)
    ended: ssl.SSLError | None = None
    try:
        end.do_handshake()
    except ssl.SSLError as error:
        ended = error
    assert ended is not None, "somebody without a certificate was let in"
    assert handshake_reason(ended)


TARGETS: dict[str, Callable[[bytes], None]] = {
    "join_request": join_request,
    "join_answer": join_answer,
    "invitation_code": invitation_code,
    "certificate": certificate,
    "public_key": public_key,
    "data_message": data_message,
    "tls_greeting": tls_greeting,
}
