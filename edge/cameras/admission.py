"""Which agent may feed a camera, pure: never simply the newest, or two of them would throw each other out for ever."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AgentIdentity:
    """A camera's agent: its token, and where it connects from."""

    token: str
    peer: str


def refusal_reason(camera: str, newcomer: AgentIdentity, present: AgentIdentity | None, own_token: str | None) -> str:
    """Return why a newcomer may not feed the camera; empty when it may, in the place of who is `present`.

    `own_token` is that of the agent which this edge started itself, if it looks after the camera: that one may always.
    Another one may when nobody else feeds the camera, or it has lost its connection and comes again.
    """
    if newcomer.token == own_token:
        return ""
    if own_token is not None:
        return (
            f"camera {camera} is assigned to this edge, which has started an agent for it itself; end this one, or "
            "give its camera another --name"
        )
    if present is not None and present.token != newcomer.token:
        return (
            f"camera {camera} is already fed by another agent, connected from {present.peer}; end that one, or give "
            "this camera another --name"
        )
    return ""
