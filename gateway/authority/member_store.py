"""Keeps the cluster's list of members over restarts, and calls its followers after every change."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from shared.errors import DeepThingsError, PeerRefusedError
from shared.security.member_list import Member, MemberList, Role, describe

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.state.state_file import StateFile
    from gateway.state.state_folder import StateFolder

log = logging.getLogger(__name__)

MEMBERS_FILE = "members.json"
_LOST = "after a restart the gateway does not know its members, and they must be invited again"


class MemberStore:
    """The list of members. A change applies once it is on the disk; only a revocation applies at once."""

    def __init__(self, folder: StateFolder, own: tuple[Member, ...]) -> None:
        """`own` are the members that are always in the list: the gateway, and the edge that it runs itself."""
        self._file: StateFile[MemberList] = folder.register_file(MEMBERS_FILE, MemberList, _LOST)
        self._followers: list[Callable[[MemberList], None]] = []
        known = self._file.read()
        self.is_new = known is None
        self._list = known or MemberList()
        for member in own:
            if self._list.find(member.role, member.name) != member:
                self._list = self._list.with_member(member)
        if self._list != known:
            self._file.write(self._list)

    def keep(self) -> None:
        """Write the list to its file, although it has not changed; log a failure."""
        self._file.write(self._list)

    @property
    def list(self) -> MemberList:
        """Return the list as it is now."""
        return self._list

    def follow(self, follower: Callable[[MemberList], None]) -> None:
        """Call `follower` with the list after each change, for example to end the connections of a revoked member."""
        self._followers.append(follower)

    def add(self, member: Member) -> None:
        """Add a member. Raises PeerRefusedError, and DeepThingsError when the list cannot be written."""
        changed = self._list.with_member(member)
        if not self._file.write(changed):
            raise DeepThingsError(
                f"{self._file.path} cannot be written ({self._file.unwritable}), so {member} is not in the cluster; "
                "make it writable, and try again"
            )
        self._change(changed)
        log.info("%s joined the cluster", member)

    def revoke(self, role: Role | None, name: str) -> Member:
        """Remove a member, and return it; `role` is needed when two have the name.

        Raises PeerRefusedError when there is none, and DeepThingsError when the list cannot be written; then the member
        is removed until the gateway starts again.
        """
        member = self.require(role, name)
        changed = self._list.without_member(member)
        written = self._file.write(changed)
        self._change(changed)
        log.info("%s was revoked", member)
        if not written:
            raise DeepThingsError(
                f"{member} is revoked until the gateway starts again, as {self._file.path} cannot be written "
                f"({self._file.unwritable}); make it writable, and repeat the command"
            )
        return member

    def set_open(self, *, is_open: bool) -> None:
        """Let devices without keys take part, or not. Raises DeepThingsError when the list cannot be written."""
        if self._list.open is is_open:
            return
        changed = self._list.opened(is_open=is_open)
        if not self._file.write(changed):
            raise DeepThingsError(
                f"{self._file.path} cannot be written ({self._file.unwritable}); make it writable, and try again"
            )
        self._change(changed)

    def require(self, role: Role | None, name: str) -> Member:
        """Return the member of this name. Raises PeerRefusedError when it is unknown, ambiguous, or the gateway's."""
        others = [member for member in self._list.members if member.role is not Role.GATEWAY]
        found = [member for member in others if member.name == name and role in {None, member.role}]
        if not found:
            wanted = f"'{name}'" if role is None else describe(role, name)
            known = ", ".join(sorted(member.name for member in others)) or "none"
            raise PeerRefusedError(f"{wanted} is not a member of this cluster; members: {known}")
        if len(found) > 1:
            raise PeerRefusedError(f"there are {' and '.join(map(str, found))}; name one with --role")
        return found[0]

    def _change(self, changed: MemberList) -> None:
        self._list = changed
        for follower in self._followers:
            follower(changed)
