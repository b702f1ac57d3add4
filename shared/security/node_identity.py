"""The identity of a node in its cluster: its certificate, its key, and its password at the broker, in a folder."""

from __future__ import annotations

import contextlib
import os
import re
import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shared.errors import ConfigurationError, PeerRefusedError
from shared.files.whole_file import write_whole
from shared.reasons.system_reasons import system_reason
from shared.security.certificates import IGNORE_CLOCK, certificate_hash, der_of, member_in

if TYPE_CHECKING:
    from pathlib import Path

    from shared.security.member_list import Member, Role

AUTHORITY_FILE = "authority.pem"
CERTIFICATE_FILE = "node.pem"
KEY_FILE = "node-key.pem"
TOKEN_FILE = "token"  # noqa: S105  (the name of a file)

TOKEN_PATTERN = r"^[A-Za-z0-9_-]{1,200}$"  # noqa: S105

JOIN_AGAIN = "join the cluster again with 'deepthings join'"
"""The cure for a damaged identity, except for that of a gateway."""

MAX_KEYS_FILE_BYTES = 16 * 1024
"""The largest size of a file in a folder of keys, in bytes; a certificate has less than 1 KB."""


@dataclass(frozen=True, slots=True)
class NodeIdentity:
    """The keys of a node: its certificate, its private key and the authority's certificate, in PEM, and its token.

    The token is the node's password at the broker ("" for the gateway). The files in `folder` have the same content;
    the TLS library reads them.
    """

    folder: Path
    authority: bytes
    certificate: bytes
    key: bytes = field(repr=False)
    token: str = field(default="", repr=False)

    @property
    def member(self) -> Member:
        """Return the role, name and key hash. Raises PeerRefusedError."""
        return member_in(der_of(self.certificate))

    @property
    def role(self) -> Role:
        return self.member.role

    @property
    def name(self) -> str:
        return self.member.name

    @property
    def authority_file(self) -> Path:
        return self.folder / AUTHORITY_FILE

    @property
    def certificate_file(self) -> Path:
        return self.folder / CERTIFICATE_FILE

    @property
    def key_file(self) -> Path:
        return self.folder / KEY_FILE

    @property
    def authority_hash(self) -> str:
        """Return the SHA-256 of the authority's certificate, which names the cluster."""
        return certificate_hash(self.authority)


def has_identity(folder: Path) -> bool:
    """Return whether there is an identity in the folder, complete or not."""
    return (folder / CERTIFICATE_FILE).exists() or (folder / KEY_FILE).exists()


def store_identity(identity: NodeIdentity) -> None:
    """Write the files of an identity to its folder; only this user can read them. Raises OSError."""
    make_key_folder(identity.folder)
    # The certificate is the last file. Without it the folder has no identity, so a process that ended in between can
    # begin again.
    write_whole(identity.key_file, identity.key)
    write_whole(identity.folder / TOKEN_FILE, identity.token.encode())
    write_whole(identity.authority_file, identity.authority)
    write_whole(identity.certificate_file, identity.certificate)


def make_key_folder(folder: Path) -> None:
    """Create a folder of keys, if it is missing, and take all permissions from other users. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if folder.stat().st_mode & 0o077:
        folder.chmod(0o700)


def load_identity(folder: Path, cure: str = JOIN_AGAIN) -> NodeIdentity:
    """Return the identity in a folder, checked: its key and its authority fit the certificate.

    Raises ConfigurationError, which ends with the cure.
    """
    identity = NodeIdentity(
        folder,
        authority=read_key_file(folder / AUTHORITY_FILE, cure),
        certificate=read_key_file(folder / CERTIFICATE_FILE, cure),
        key=read_key_file(folder / KEY_FILE, cure),
        token=_read_token(folder / TOKEN_FILE, cure),
    )
    _check(identity, cure)
    return identity


def read_key_file(path: Path, cure: str = JOIN_AGAIN) -> bytes:
    """Return the content of a file of a folder of keys. Raises ConfigurationError."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            content = file.read(MAX_KEYS_FILE_BYTES + 1)
    except FileNotFoundError as error:
        raise ConfigurationError(f"{path} is missing, so the identity of this device is incomplete; {cure}") from error
    except OSError as error:
        raise ConfigurationError(
            f"{path} cannot be read: {system_reason(error)}; run as the user that the file belongs to"
        ) from error
    if not content or len(content) > MAX_KEYS_FILE_BYTES:
        raise ConfigurationError(f"{path} is damaged; {cure}")
    return content


def _read_token(path: Path, cure: str) -> str:
    try:
        if path.stat().st_size == 0:
            return ""  # the gateway has no token
    except OSError:
        pass  # read_key_file reports what is wrong
    token = read_key_file(path, cure).decode("ascii", "replace").strip()
    if not re.fullmatch(TOKEN_PATTERN, token):
        raise ConfigurationError(f"{path} is damaged; {cure}")
    return token


def _check(identity: NodeIdentity, cure: str) -> None:
    """Raise ConfigurationError if the files of an identity do not fit each other."""
    try:
        member_in(der_of(identity.certificate))
        authority = der_of(identity.authority)
    except (ValueError, PeerRefusedError) as error:
        raise ConfigurationError(f"{identity.folder}: a certificate is damaged; {cure}") from error
    if not _key_fits(identity):
        raise ConfigurationError(
            f"{identity.key_file} does not belong to {identity.certificate_file}: the files come from two devices or "
            f"two times; {cure}"
        )
    if not is_trusted_by(identity, authority):
        raise ConfigurationError(
            f"{identity.certificate_file} is not of the cluster of {identity.authority_file}: the files come from two "
            f"clusters or two times; {cure}"
        )


def _key_fits(identity: NodeIdentity) -> bool:
    """Return whether the key can be read, without a pass phrase, and belongs to the certificate."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(
            identity.certificate_file, identity.key_file, password=""
        )
    except (ssl.SSLError, ValueError):
        return False
    return True


def is_trusted_by(identity: NodeIdentity, authority: bytes) -> bool:
    """Return whether a client that trusts this authority, in DER, accepts the identity; tested by a handshake."""
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.load_cert_chain(identity.certificate_file, identity.key_file, password="")
    client_context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client_context.check_hostname = False
    client_context.verify_flags |= IGNORE_CLOCK
    client_context.load_verify_locations(cadata=authority)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(to_client, to_server)
    server = server_context.wrap_bio(to_server, to_client, server_side=True)
    try:
        for end in (client, server, client):
            with contextlib.suppress(ssl.SSLWantReadError):
                end.do_handshake()
    except ssl.SSLError:
        return False
    return client.getpeercert(binary_form=True) == der_of(identity.certificate)
