"""Joins a cluster: verifies the gateway, sends it the secret of the code, and stores the keys of the new member."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import ssl
from typing import TYPE_CHECKING, TypeVar

from pydantic import ValidationError

from shared.errors import DeepThingsError, PeerRefusedError
from shared.files.whole_file import write_whole
from shared.network.addresses import Address
from shared.reasons.network_reasons import network_reason
from shared.security.certificates import IGNORE_CLOCK, certificate_hash, der_of, member_in
from shared.security.code_parts import authority_in_code
from shared.security.issuing import is_issued_by, make_key, public_key_of
from shared.security.join_messages import (
    MAX_JOIN_LINE_BYTES,
    AuthorityAnswer,
    AuthorityRequest,
    InvitationCode,
    JoinAnswer,
    JoinRefusal,
    JoinRequest,
)
from shared.security.key_folder import KNOWN_MEMBERS_FILE, store_gateway
from shared.security.member_list import Role
from shared.security.node_identity import (
    NodeIdentity,
    load_identity,
    make_key_folder,
    read_key_file,
    store_identity,
)

if TYPE_CHECKING:
    from pathlib import Path

    from shared.payloads.base import Message

A = TypeVar("A", bound="Message")

JOIN_TIMEOUT_S = 15.0
"""Timeout of one exchange with the gateway; a small gateway that is busy needs a second."""

PENDING_KEY_FILE = "pending-key.pem"
"""The key of a device that has not received an answer yet: the gateway gives the same key the same answer again."""


async def join_cluster(
    code: InvitationCode, folder: Path, name: str | None, host: str
) -> tuple[NodeIdentity, JoinAnswer]:
    """Join the cluster of a code, and store the identity and the gateway's address in `folder`.

    `name` is the requested name of the device; without it, the device gets the invitation's name or else `host`, the
    name of its host. No secret is sent before the gateway has proved that it belongs to the code. Raises
    DeepThingsError, OSError.
    """
    authority = await _fetch_authority(code)
    key = _pending_key(folder)
    request = JoinRequest(secret=code.secret, public_key=public_key_of(key).decode(), name=name, host=host)
    answer = await _exchange(code.address, _verifying_context(authority), request, JoinAnswer)
    identity = NodeIdentity(folder, authority, answer.certificate.encode(), key, answer.token)
    _check_answer(identity, answer)
    store_identity(identity)
    (folder / KNOWN_MEMBERS_FILE).unlink(missing_ok=True)  # it is of another cluster, or of other keys
    store_gateway(folder, Address(code.address.host, answer.port), answer.data_port)
    load_identity(folder)
    (folder / PENDING_KEY_FILE).unlink(missing_ok=True)
    return identity, answer


async def _fetch_authority(code: InvitationCode) -> bytes:
    """Return the certificate of the authority that the code names. Raises PeerRefusedError for another one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # any peer may answer: its authority is compared with the code below
    answer = await _exchange(code.address, context, AuthorityRequest(), AuthorityAnswer)
    authority = answer.authority.encode()
    with contextlib.suppress(ValueError):
        if hmac.compare_digest(authority_in_code(certificate_hash(authority)), code.authority):
            return authority
    raise PeerRefusedError(
        f"{code.address} is not the gateway that printed this code: another machine answers there, or the gateway has "
        "new keys since; nothing was sent to it. Run 'deepthings invite' again at the gateway"
    )


def _verifying_context(authority: bytes) -> ssl.SSLContext:
    """Return the context of a device that trusts this authority, and has no certificate yet."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False  # role and name are checked
    context.verify_flags |= IGNORE_CLOCK
    context.load_verify_locations(cadata=der_of(authority))
    return context


async def _exchange(address: Address, context: ssl.SSLContext, request: Message, kind: type[A]) -> A:
    """Return the answer to one request on a connection of its own.

    With a context that verifies certificates, the peer must prove that it is the gateway before anything is sent.
    Raises DeepThingsError.
    """
    try:
        async with asyncio.timeout(JOIN_TIMEOUT_S):
            reader, writer = await asyncio.open_connection(*address, ssl=context, limit=MAX_JOIN_LINE_BYTES)
            try:
                if context.verify_mode is ssl.CERT_REQUIRED:
                    _require_gateway(writer.get_extra_info("ssl_object").getpeercert(binary_form=True), address)
                writer.write(request.model_dump_json(exclude_none=True).encode() + b"\n")
                await writer.drain()
                line = await reader.readuntil(b"\n")
            finally:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
    except (ConnectionRefusedError, asyncio.IncompleteReadError, ConnectionResetError) as error:
        raise DeepThingsError(
            f"nobody invites devices at {address}: an invitation ends after an hour, and when the gateway starts "
            "again; run 'deepthings invite' there, and the command that it prints here"
        ) from error
    except DeepThingsError:
        raise
    except (OSError, ValueError, asyncio.LimitOverrunError) as error:
        raise DeepThingsError(
            f"the gateway at {address} cannot be reached: {network_reason(error)}; is this device in the same network, "
            "and is that the gateway's address? 'deepthings invite --host ADDRESS' prints another one"
        ) from error
    return _answer_in(line, address, kind)


def _answer_in(line: bytes, address: Address, kind: type[A]) -> A:
    """Return the answer in a received line. Raises PeerRefusedError for a refusal, DeepThingsError for all else."""
    try:
        return kind.model_validate_json(line)
    except ValidationError:
        pass
    try:
        refusal = JoinRefusal.model_validate_json(line)
    except ValidationError as error:
        raise DeepThingsError(
            f"{address} does not answer as a gateway of this release; install the same release on both devices"
        ) from error
    raise PeerRefusedError(f"the gateway refuses: {_printable(refusal.refused)}")


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _require_gateway(certificate: bytes | None, address: Address) -> None:
    if certificate is None or member_in(certificate).role is not Role.GATEWAY:
        raise PeerRefusedError(f"{address} is a member of the cluster, but not its gateway; nothing was sent to it")


def _pending_key(folder: Path) -> bytes:
    """Return the key to join with. It is stored, so that another attempt after a lost answer uses the same key."""
    make_key_folder(folder)
    path = folder / PENDING_KEY_FILE
    with contextlib.suppress(DeepThingsError, ValueError):
        key = read_key_file(path)
        public_key_of(key)  # it may be damaged
        return key
    key = make_key()
    write_whole(path, key)
    return key


def _check_answer(identity: NodeIdentity, answer: JoinAnswer) -> None:
    """Raise PeerRefusedError if the certificate is invalid, or not for the role and name in the answer."""
    try:
        member = identity.member
        valid = is_issued_by(identity.certificate, identity.authority)
    except ValueError:
        valid = False
    if not valid or (member.role, member.name) != (answer.role, answer.name):
        raise PeerRefusedError("the gateway's answer is damaged; run the command again")
