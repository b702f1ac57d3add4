"""The members of a cluster. A peer that is not in this list is refused, whatever its certificate says. Pure."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

from pydantic import Field, model_validator

from shared.errors import PeerRefusedError
from shared.payloads.base import Message
from shared.payloads.fields import Count, Name

MAX_MEMBERS = 500
"""The most members of a cluster: several for each room of a large site. The list stays below 100 KB."""

MAX_REVOKED = 50
"""Revoked members that are remembered, so that a refusal can state the reason. The newest are the last."""

KeyHash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
"""SHA-256 of a public key (its SubjectPublicKeyInfo in DER), in hexadecimal digits."""


class Role(Enum):
    """The role of a member in its cluster, which decides its permissions."""

    GATEWAY = "gateway"
    EDGE = "edge"
    CAMERA = "camera"


class Member(Message):
    """A member of a cluster, or the holder of a certificate."""

    role: Role
    name: Name
    key_hash: KeyHash

    def __str__(self) -> str:
        return describe(self.role, self.name)


def describe(role: Role, name: str) -> str:
    """Return a member as messages name it: "edge 'porch'", "the gateway"."""
    return "the gateway" if role is Role.GATEWAY else f"{role.value} '{name}'"


class MemberList(Message):
    """The members of a cluster. The gateway increases `revision` with every change.

    Names are unique within a role, and each key belongs to one member. While the cluster is `open`, devices without
    keys take part, too: those with a release that had no keys.
    """

    revision: Count = 0
    open: bool = False
    members: Annotated[tuple[Member, ...], Field(max_length=MAX_MEMBERS)] = ()
    revoked: Annotated[tuple[Member, ...], Field(max_length=MAX_REVOKED)] = ()

    @model_validator(mode="after")
    def _check_that_members_differ(self) -> MemberList:
        names = {(member.role, member.name) for member in self.members}
        keys = {member.key_hash for member in self.members}
        if not len(names) == len(keys) == len(self.members):
            raise ValueError("two members have the same name, or the same key")
        return self

    def find(self, role: Role, name: str) -> Member | None:
        """Return the member of this role and name."""
        return next((member for member in self.members if (member.role, member.name) == (role, name)), None)

    def admit(self, role: Role, name: str, key_hash: str) -> Member:
        """Return the member with this role, name and key.

        Raises PeerRefusedError, with the reason and the cure, if there is none.
        """
        peer = describe(role, name)
        member = self.find(role, name)
        if member is not None and member.key_hash == key_hash:
            return member
        if role is Role.GATEWAY:
            raise PeerRefusedError(
                "this gateway has another key than the one of this cluster; if it was installed again, run 'deepthings "
                "invite' there, and the command that it prints on this device"
            )
        if any(gone.key_hash == key_hash for gone in self.revoked):
            raise PeerRefusedError(f"{peer} was revoked; to let it in again, {_invite(name)}")
        if member is not None:
            raise PeerRefusedError(
                f"{peer} shows another key than the one that joined under this name: another device has the name, or "
                f"its card was installed again or copied; if it is yours, {_invite(name, again=True)}"
            )
        raise PeerRefusedError(f"{peer} is not a member of this cluster; if it is yours, {_invite(name)}")

    def with_member(self, member: Member) -> MemberList:
        """Return the list with this member, which replaces one with the same role and name.

        Raises PeerRefusedError when another member has the key, or when the list is full.
        """
        others = tuple(other for other in self.members if (other.role, other.name) != (member.role, member.name))
        holder = next((other for other in others if other.key_hash == member.key_hash), None)
        if holder is not None:
            raise PeerRefusedError(
                f"{member} has the key of {holder}: its card or its keys are a copy; remove its folder of keys, "
                "and join again"
            )
        if len(others) >= MAX_MEMBERS:
            raise PeerRefusedError(
                f"the cluster has {MAX_MEMBERS} members, which is the most; remove one with 'deepthings revoke NODE'"
            )
        revoked = tuple(gone for gone in self.revoked if gone.key_hash != member.key_hash)
        return self._changed(members=(*others, member), revoked=revoked)

    def without_member(self, member: Member) -> MemberList:
        """Return the list without this member, which is remembered as revoked."""
        remaining = tuple(other for other in self.members if other != member)
        return self._changed(members=remaining, revoked=(*self.revoked, member)[-MAX_REVOKED:])

    def opened(self, *, is_open: bool) -> MemberList:
        """Return the list of an open or closed cluster."""
        return self._changed(open=is_open)

    def _changed(self, **fields: object) -> MemberList:
        return MemberList.model_validate({**dict(self), **fields, "revision": self.revision + 1})


def _invite(name: str, *, again: bool = False) -> str:
    flag = " --again" if again else ""
    return f"run 'deepthings invite {name}{flag}' at the gateway, and the command that it prints on the device"
