"""DeviceInvitations to a cluster, pure: a secret that is kept as its hash, for one device, for one hour."""

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
"""An invitation is open for an hour, by a clock that nobody sets."""

MAX_WRONG_CODES = 20
"""So many wrong codes end all invitations. Nobody guesses 128 bits; somebody who tries is to be noticed."""

MAX_INVITATIONS = 100
"""Open at the same time; more than one person invites in an hour."""


@dataclass(slots=True)
class Invitation:
    """One device may join. `used_by` is the hash of the key that did, which gets the same answer again."""

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
        """Return the answer for the device with this secret and this key; `admit` makes it, once.

        Raises PeerRefusedError, and what `admit` raises: then the invitation stays as it was.
        """
        invitation = self.require(secret, now)
        if invitation.answer is None:
            answer = admit(invitation)
            invitation.answer, invitation.used_by = answer, key_hash
        elif invitation.used_by != key_hash:
            joined = describe(invitation.answer.role, invitation.answer.name)
            raise PeerRefusedError(
                f"this code has let in {joined} already, and each is for one device; run 'deepthings invite' again. If "
                f"{joined} is not yours, run 'deepthings revoke {invitation.answer.name}'"
            )
        return invitation.answer

    def require(self, secret: str, now: float) -> Invitation:
        """Return the invitation of this secret. Raises PeerRefusedError, and counts it, when there is none."""
        self._forget_ended(now)
        invitation = self._by_hash.get(_hash(secret))
        if invitation is None:
            self._count_wrong_code()
            raise PeerRefusedError(
                "this code is not valid: it is older than an hour, of an earlier start of the gateway, or mistyped; "
                "run 'deepthings invite' again"
            )
        return invitation

    def withdraw(self, role: Role, name: str) -> None:
        """End the invitations that let in a member that is revoked."""
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
