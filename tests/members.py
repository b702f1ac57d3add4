"""Clusters of keys for tests: an authority, its members, and what each of them knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.security.certificates import der_of, member_in
from shared.security.data_security import DataSecurity
from shared.security.issuing import issue_certificate, make_authority, make_key, public_key_of
from shared.security.member_list import MemberList, Role
from shared.security.node_identity import NodeIdentity, store_identity

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.authority.cluster_keys import ClusterKeys


class KeyedCluster:
    """An authority in a folder. Members are in the list as soon as they have keys, unless they are `unlisted`."""

    def __init__(self, folder: Path, *, is_open: bool = False) -> None:
        self._folder = folder
        self._key = make_key()
        self._authority = make_authority(self._key)
        self.members = MemberList(open=is_open)
        self._followers: list[DataSecurity] = []

    def identity(self, role: Role, name: str, *, unlisted: bool = False) -> NodeIdentity:
        """Return the keys of a new member, which are in a folder of their own."""
        key = make_key()
        certificate = issue_certificate(self._authority, self._key, role, name, public_key_of(key))
        identity = NodeIdentity(self._folder / f"{role.value}-{name}", self._authority, certificate, key, "token")
        store_identity(identity)
        if not unlisted:
            self._change(self.members.with_member(identity.member))
        return identity

    def security(self, identity: NodeIdentity) -> DataSecurity:
        """Return what a member knows its peers by; it follows the list."""
        security = DataSecurity(identity, self.members)
        self._followers.append(security)
        return security

    def member(self, role: Role, name: str) -> DataSecurity:
        """Return the same for a new member."""
        return self.security(self.identity(role, name))

    def revoke(self, role: Role, name: str) -> None:
        member = self.members.find(role, name)
        assert member is not None
        self._change(self.members.without_member(member))

    def close(self) -> None:
        """Let nobody without keys take part any more."""
        self._change(self.members.opened(is_open=False))

    def _change(self, members: MemberList) -> None:
        self.members = members
        for follower in self._followers:
            follower.on_members(members)


def edge_keys(keys: ClusterKeys, name: str, folder: Path) -> Path:
    """Write the keys of an edge of a real gateway's cluster into a folder, as `deepthings join` does, and return it."""
    key = make_key()
    certificate = keys.authority.issue(Role.EDGE, name, public_key_of(key))
    member = member_in(der_of(certificate))
    token = keys.authority.token_of(member)
    store_identity(NodeIdentity(folder, keys.authority.certificate, certificate, key, token))
    keys.members.add(member)
    return folder
