"""Invitations to a cluster, each for one device and one hour. Only hashes of their secrets are kept. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.errors import PeerRefusedError
from shared.security.code_parts import new_secret
from shared.security.member_list import Role, describe

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.security.join_messages import JoinAnswer

INVITATION_S = 3600.0
"""An invitation is open for an hour, measured by the monotonic clock, which nobody can set."""

MAX_WRONG_CODES = 20
"""This many wrong codes end all invitations. 128 bits cannot be guessed, but a person should notice that one tries."""

MAX_INVITATIONS = 100
"""Invitations that are open at the same time; a person does not make more in an hour."""


@dataclass(slots=True)
class Invitation:
    """The permission for one device to join.

    `again`: the device may take the place of a member of that name. `ends_at` is in monotonic seconds. `used_by` is the
    hash of the key of the device that has joined with it; if that device asks again, it gets the same `answer`.
    """

    role: Role
    name: str | None
    again: bool
    ends_at: float
    used_by: str = ""
    answer: JoinAnswer | None = None


class DeviceInvitations:
    """The open invitations of a gateway."""

    def __init__(self) -> None:
        self._by_hash: dict[bytes, Invitation] = {}
        self._wrong = 0

    @property
    def ended_by_wrong_codes(self) -> bool:
        """Return whether wrong codes have ended all invitations, until the next one is opened."""
        return self._wrong >= MAX_WRONG_CODES

    @property
    def all(self) -> tuple[Invitation, ...]:
        """Return the invitations, also those that were used."""
        return tuple(self._by_hash.values())

    def invite(self, role: Role, name: str | None, now: float, *, again: bool = False) -> str:
        """Open an invitation, and return its secret; `again` lets a device take the place of a member of that name.

        Raises PeerRefusedError when too many are open.
        """
        self._forget_ended(now)
        if len(self._by_hash) >= MAX_INVITATIONS:
            raise PeerRefusedError(f"{MAX_INVITATIONS} invitations are open, the most possible; each ends in an hour")
        secret = new_secret()
        self._by_hash[_hash(secret)] = Invitation(role, name, again, now + INVITATION_S)
        self._wrong = 0
        return secret

    def closes_in_s(self, now: float) -> float:
        """Return the seconds until the last open invitation ends; 0 when none is open."""
        return max([0.0, *(invitation.ends_at - now for invitation in self._by_hash.values())])

    def redeem(self, secret: str, key_hash: str, now: float, admit: Callable[[Invitation], JoinAnswer]) -> JoinAnswer:
        """Return the answer for the device with this secret and this key; `admit(invitation)` makes it, once.

        Raises PeerRefusedError for an invalid or used secret, and the errors of `admit`, after which the invitation is
        still open.
        """
        invitation = self.require(secret, now)
        if invitation.answer is None:
            answer = admit(invitation)
            invitation.answer, invitation.used_by = answer, key_hash
        elif invitation.used_by != key_hash:
            joined = describe(invitation.answer.role, invitation.answer.name)
            raise PeerRefusedError(
                f"this code has let in {joined} already, and a code is for one device: run 'deepthings invite' again. "
                f"If {joined} is not yours, run 'deepthings revoke {invitation.answer.name}'"
            )
        return invitation.answer

    def require(self, secret: str, now: float) -> Invitation:
        """Return the invitation of this secret. If there is none, count a wrong code and raise PeerRefusedError."""
        self._forget_ended(now)
        invitation = self._by_hash.get(_hash(secret))
        if invitation is None:
            self._count_wrong_code()
            raise PeerRefusedError(
                "this code is not valid: it is older than an hour, from before a restart of the gateway, or mistyped; "
                "run 'deepthings invite' again"
            )
        return invitation

    def withdraw(self, role: Role, name: str) -> None:
        """Remove the invitations by which a member has joined, because it is revoked: they must not work again."""
        for digest, invitation in list(self._by_hash.items()):
            answer = invitation.answer
            if answer is not None and (answer.role, answer.name) == (role, name):
                del self._by_hash[digest]

    def _count_wrong_code(self) -> None:
        self._wrong += 1
        if self.ended_by_wrong_codes:
            self._by_hash.clear()

    def _forget_ended(self, now: float) -> None:
        self._by_hash = {digest: one for digest, one in self._by_hash.items() if one.ends_at > now}


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
