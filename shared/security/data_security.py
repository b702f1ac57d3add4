"""Recognises peers on the data plane: by this process's own keys, and by the list of the cluster's members."""

from __future__ import annotations

import logging
import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from shared.errors import PeerRefusedError
from shared.security.certificates import member_in
from shared.security.member_list import MemberList, Role, describe
from shared.security.tls import client_context, server_context

if TYPE_CHECKING:
    from shared.security.member_list import Member
    from shared.security.node_identity import NodeIdentity

log = logging.getLogger(__name__)

NO_LIST_YET = "the list of members has not come from the gateway yet"


@dataclass(frozen=True, slots=True)
class ExpectedPeer:
    """The member that must be at the other end of a connection; without a name, any member of this role."""

    role: Role
    name: str = ""

    def __str__(self) -> str:
        return describe(self.role, self.name) if self.name or self.role is Role.GATEWAY else f"any {self.role.value}"


THE_GATEWAY = ExpectedPeer(Role.GATEWAY)
ANY_EDGE = ExpectedPeer(Role.EDGE)


class MemberConnection(Protocol):
    """An open connection; `member` is the member at its other end, None for a peer without keys."""

    @property
    def member(self) -> Member | None: ...

    def close(self) -> None: ...


class DataSecurity:
    """Decides whether a peer is a member, at each handshake and whenever the list of members changes."""

    def __init__(
        self, identity: NodeIdentity, members: MemberList | None = None, *, by_certificate: bool = False
    ) -> None:
        """`members` is None until the list has come; until then only the gateway, which sends it, is accepted.

        `by_certificate`: all certificates of the authority are accepted without the list, for a command that connects
        to one device. Raises OSError when the keys cannot be read.
        """
        self._by_certificate = by_certificate
        self.own = identity.member
        self.server_context = server_context(identity)
        self.client_context = client_context(identity)
        self._members = members
        self._connections: weakref.WeakSet[MemberConnection] = weakref.WeakSet()

    @property
    def members(self) -> MemberList | None:
        """Return the list of members; None until it has come."""
        return self._members

    @property
    def open(self) -> bool:
        """Return whether the cluster is open: devices without keys still take part."""
        return self._members is not None and self._members.open

    def is_member(self, role: Role, name: str) -> bool:
        """Return whether there is a member of this role and name."""
        return self._members is not None and self._members.find(role, name) is not None

    def admit(self, certificate: bytes | None) -> Member:
        """Return the member that shows this certificate, in DER, which TLS has verified. Raises PeerRefusedError."""
        shown = member_in(certificate or b"")
        if self._members is not None:
            return self._members.admit(shown.role, shown.name, shown.key_hash)
        if self._by_certificate or shown.role is Role.GATEWAY:
            return shown  # no other device has a certificate with the gateway's role, and the gateway sends the list
        raise PeerRefusedError(f"{shown} may be a member, but {NO_LIST_YET}")

    def require(self, certificate: bytes | None, expected: ExpectedPeer) -> Member:
        """Return the member that shows this certificate, if it is the expected one. Raises PeerRefusedError."""
        member = self.admit(certificate)
        if member.role is not expected.role or expected.name not in ("", member.name):
            raise PeerRefusedError(f"{member} answers there instead of {expected}: an address is outdated or wrong")
        return member

    def connects_plain(self, expected: ExpectedPeer) -> bool:
        """Return whether to connect without encryption: to a peer that is no member, while the cluster is open."""
        named = bool(expected.name) and expected.role is not Role.GATEWAY
        return self.open and named and not self.is_member(expected.role, expected.name)

    def check_name(self, member: Member | None, name: str) -> None:
        """Check that an edge uses its own name, and that an edge without keys does not use the name of a member.

        Raises PeerRefusedError.
        """
        if member is not None and member.name != name:
            raise PeerRefusedError(f"{member} spoke in the name of edge '{name}'")
        if member is None and self.is_member(Role.EDGE, name):
            raise PeerRefusedError(f"a device without keys spoke in the name of edge '{name}', which has joined")

    def watch(self, connection: MemberConnection) -> None:
        """Watch a connection: it is closed when a new list of members does not have its peer."""
        self._connections.add(connection)

    def on_members(self, members: MemberList) -> None:
        """Use a new list of members, and close the connections of peers that are not in it."""
        self._members = members
        for connection in list(self._connections):
            reason = self._ending_reason(connection.member, members)
            if reason:
                log.warning("a connection is closed: %s", reason)
                connection.close()

    @staticmethod
    def _ending_reason(member: Member | None, members: MemberList) -> str:
        """Return the reason why a peer may not stay; empty if it may."""
        if member is None:
            return "" if members.open else "its peer has no keys, and the cluster is closed now"
        try:
            members.admit(member.role, member.name, member.key_hash)
        except PeerRefusedError as error:
            return str(error)
        return ""
