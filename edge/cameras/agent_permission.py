"""Decides which process may feed a camera, by what it shows when it connects. Pure."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

from shared.errors import PeerRefusedError

if TYPE_CHECKING:
    from shared.security.member_list import Member
    from shared.wire.camera_headers import CameraHeader


def check_agent(hello: CameraHeader, member: Member | None, own_token: str | None, permit: str | None) -> None:
    """Check that an agent may feed its camera. Raises PeerRefusedError, which says what to do.

    `member` is the agent's device if it has keys; `own_token` that of the agent which this edge has started for the
    camera; `permit` that for other agents of this edge's user, None if agents need none.
    """
    if member is not None:
        if member.name != hello.camera:
            raise PeerRefusedError(
                f"{member} may not feed camera {hello.camera}: start it with --name {member.name}, or type 'deepthings "
                f"invite {hello.camera} --role camera' at the gateway, and the command that it prints on its device"
            )
        return
    if permit is None or _equal(hello.permit, permit) or (own_token is not None and _equal(hello.token, own_token)):
        return
    raise PeerRefusedError(
        f"an agent of camera {hello.camera} shows no permit: start it as the user that runs this edge, with the same "
        "--keys"
    )


def _equal(shown: str, secret: str) -> bool:
    return hmac.compare_digest(shown.encode(), secret.encode())
