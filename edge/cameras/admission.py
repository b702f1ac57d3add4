"""Decides which agent may feed a camera. Pure.

It is not simply the newest: two agents of one camera would disconnect each other for ever.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AgentIdentity:
    """A camera's agent: its token, and the address that it connects from."""

    token: str
    peer: str


def refusal_reason(camera: str, newcomer: AgentIdentity, present: AgentIdentity | None, own_token: str | None) -> str:
    """Return the reason why an agent may not feed the camera; empty if it may, instead of the one that is `present`.

    `own_token` is that of the agent that this edge has started for the camera, which may always feed it; None if it has
    started none. Then an agent may if no other feeds the camera, or if it is the same one after a lost connection.
    """
    if newcomer.token == own_token:
        return ""
    if own_token is not None:
        return (
            f"camera {camera} is assigned to this edge, which runs its own agent for it; stop this agent, or give its "
            "camera another --name"
        )
    if present is not None and present.token != newcomer.token:
        return (
            f"camera {camera} is already fed by another agent, connected from {present.peer}; stop that one, or give "
            "this camera another --name"
        )
    return ""
