"""The cluster's authority: the key that signs the certificates of members. It is made at the gateway's first start."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from typing import TYPE_CHECKING

from shared.errors import DeepThingsError
from shared.files.whole_file import write_whole
from shared.network.hosts import is_loopback
from shared.reasons.system_reasons import system_reason
from shared.security.certificates import der_of, member_in
from shared.security.issuing import (
    is_key_of,
    issue_certificate,
    issue_server_certificate,
    make_authority,
    make_key,
    public_key_of,
)
from shared.security.member_list import Member, Role
from shared.security.node_identity import (
    AUTHORITY_FILE,
    CERTIFICATE_FILE,
    NodeIdentity,
    load_identity,
    make_key_folder,
    read_key_file,
    store_identity,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

KEYS_FOLDER = "keys"
"""The folder of keys in the state folder. Other users cannot read it, and so the broker cannot, which has its own
user."""

AUTHORITY_KEY_FILE = "authority-key.pem"
TOKEN_SECRET_FILE = "token-secret"  # noqa: S105  (the name of a file)
OWN_NODE_FOLDER = "own-node"

TOKEN_BYTES = 32

GATEWAY_NAME = "gateway"
"""The name of the gateway in its certificate. It is always the same, because every cluster has one gateway."""

RECOVERY = "restore a backup of the gateway, or run 'deepthings rotate' for new keys, and invite all devices again"


def needs_keys(host: str) -> bool:
    """Return whether a gateway that listens on this address needs keys, because other devices can reach it."""
    return not is_loopback(host)


class Authority:
    """The keys of a cluster in a folder. Whoever reads the folder can make members."""

    def __init__(self, folder: Path) -> None:
        """Read the keys; make them at the gateway's first start. Raises DeepThingsError."""
        self.folder = folder
        try:
            make_key_folder(folder)
            self._certificate, self._key = self._open_authority()
            self._token_secret = self._open_token_secret()
            self.identity = self._open_identity(folder, Role.GATEWAY, GATEWAY_NAME)
        except OSError as error:
            raise DeepThingsError(
                f"{folder} cannot be used: {system_reason(error)}; the gateway keeps the keys of its cluster there"
            ) from error
        except ValueError as error:
            raise DeepThingsError(f"{folder}: the keys of the cluster cannot be read: {error}; {RECOVERY}") from error

    @property
    def certificate(self) -> bytes:
        """Return the certificate of the authority, in PEM."""
        return self._certificate

    def issue(self, role: Role, name: str, public_key: bytes) -> bytes:
        """Return a certificate for a public key, both in PEM. Raises PeerRefusedError for an unsuitable key."""
        return issue_certificate(self._certificate, self._key, role, name, public_key)

    def issue_server(self, hosts: Iterable[str], public_key: bytes) -> bytes:
        """Return a certificate for a server that people know by its host; see `issue_server_certificate`."""
        return issue_server_certificate(self._certificate, self._key, hosts, public_key)

    def token_of(self, member: Member) -> str:
        """Return the member's password at the broker; it is computed from the member's key, and not stored here."""
        text = f"{member.role.value}/{member.name}/{member.key_hash}".encode()
        digest = hmac.digest(self._token_secret, text, hashlib.sha256)
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")

    def own_node(self, name: str) -> NodeIdentity:
        """Return the identity of the edge that the gateway runs itself; make it if it is missing. Raises OSError."""
        return self._open_identity(self.folder / OWN_NODE_FOLDER, Role.EDGE, name)

    def _open_authority(self) -> tuple[bytes, bytes]:
        """Return certificate and key of the authority."""
        certificate_file, key_file = self.folder / AUTHORITY_FILE, self.folder / AUTHORITY_KEY_FILE
        if not certificate_file.exists() and not (self.folder / CERTIFICATE_FILE).exists():
            key = make_key()
            write_whole(key_file, key)
            write_whole(certificate_file, make_authority(key))
        certificate, key = read_key_file(certificate_file, RECOVERY), read_key_file(key_file, RECOVERY)
        if not is_key_of(certificate, key):
            raise ValueError(f"{AUTHORITY_KEY_FILE} does not belong to {AUTHORITY_FILE}")
        return certificate, key

    def _open_token_secret(self) -> bytes:
        path = self.folder / TOKEN_SECRET_FILE
        if not path.exists():
            write_whole(path, secrets.token_bytes(TOKEN_BYTES))
        return read_key_file(path, RECOVERY)

    def _open_identity(self, folder: Path, role: Role, name: str) -> NodeIdentity:
        """Return the identity in a folder; issue a new one if it is missing, or was issued by an earlier authority."""
        if not (folder / CERTIFICATE_FILE).exists() or (folder / AUTHORITY_FILE).read_bytes() != self._certificate:
            key = make_key()
            certificate = self.issue(role, name, public_key_of(key))
            member = member_in(der_of(certificate))
            token = "" if role is Role.GATEWAY else self.token_of(member)
            store_identity(NodeIdentity(folder, self._certificate, certificate, key, token))
        return load_identity(folder, RECOVERY)


def keys_exist(folder: Path) -> bool:
    """Return whether a folder has the keys of a cluster, or a rest of them."""
    return (folder / AUTHORITY_FILE).exists() or (folder / CERTIFICATE_FILE).exists()
