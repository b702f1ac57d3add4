"""The messages that each kind of peer may send to an edge and to a gateway: one table for each. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.security.member_list import Role
from shared.wire.codec import MessageKind

if TYPE_CHECKING:
    from collections.abc import Mapping

Kinds = frozenset[MessageKind]

NO_KINDS: Kinds = frozenset()

CAMERA_KINDS: Kinds = frozenset({MessageKind.CAMERA, MessageKind.FRAME, MessageKind.REPORT, MessageKind.OFFER})
"""All that agents of cameras send."""


@dataclass(frozen=True, slots=True)
class Door:
    """The messages that a server takes, by the role of who sends them.

    `local`: those of a process on the same machine without keys, when the cluster is closed.
    """

    what: str
    by_role: Mapping[Role, Kinds]
    local: Kinds = NO_KINDS

    @property
    def known(self) -> Kinds:
        """Return all that anybody may send, which is taken from everybody while there are no keys here."""
        return frozenset[MessageKind]().union(*self.by_role.values())

    @property
    def plain(self) -> Kinds:
        """Return what a peer without keys may send while the cluster is open: the gateway always has keys."""
        return self.kinds_for(Role.EDGE) | self.kinds_for(Role.CAMERA)

    def kinds_for(self, role: Role) -> Kinds:
        """Return what a member of this role may send."""
        return self.by_role.get(role, NO_KINDS)


EDGE_DOOR = Door(
    "an edge",
    {
        Role.GATEWAY: frozenset({MessageKind.TILE, MessageKind.PICTURE_REQUEST, MessageKind.TRACE_REQUEST}),
        Role.EDGE: frozenset({MessageKind.TAKE, MessageKind.TILE, MessageKind.BORDER}),
        Role.CAMERA: CAMERA_KINDS,
    },
    local=CAMERA_KINDS,  # an agent, which then proves by its token that it is one of this user
)

GATEWAY_DOOR = Door(
    "a gateway",
    {
        Role.GATEWAY: frozenset({MessageKind.TRACE_REQUEST}),  # `deepthings trace` on its machine
        Role.EDGE: frozenset(
            {
                MessageKind.RESULT, MessageKind.TILE, MessageKind.LINK, MessageKind.STRIPS_REQUEST,
                MessageKind.PROGRAM_REQUEST, MessageKind.SETTINGS_REQUEST, MessageKind.TRACE_REQUEST,
            }
        ),
        Role.CAMERA: frozenset({MessageKind.MEMBERS_REQUEST}),
    },
)  # fmt: skip
