"""The kinds of messages that each role may send to an edge, and to a gateway. Pure."""

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
"""All kinds of messages that camera agents send."""


@dataclass(frozen=True, slots=True)
class Door:
    """The kinds of messages that a server accepts, by the role of the sender. `what` names the server in messages.

    `local` are the kinds that it accepts from processes without keys on the same machine when the cluster is closed.
    """

    what: str
    by_role: Mapping[Role, Kinds]
    local: Kinds = NO_KINDS

    @property
    def known(self) -> Kinds:
        """Return the kinds that any role may send; a server without keys accepts them from every peer."""
        return frozenset[MessageKind]().union(*self.by_role.values())

    @property
    def plain(self) -> Kinds:
        """Return the kinds that a peer without keys may send while the cluster is open; it cannot be a gateway."""
        return self.kinds_for(Role.EDGE) | self.kinds_for(Role.CAMERA)

    def kinds_for(self, role: Role) -> Kinds:
        """Return the kinds that a member of this role may send."""
        return self.by_role.get(role, NO_KINDS)


EDGE_DOOR = Door(
    "an edge",
    {
        Role.GATEWAY: frozenset({MessageKind.TILE, MessageKind.PICTURE_REQUEST, MessageKind.TRACE_REQUEST}),
        Role.EDGE: frozenset({MessageKind.TAKE, MessageKind.TILE, MessageKind.BORDER}),
        Role.CAMERA: CAMERA_KINDS,
    },
    local=CAMERA_KINDS,  # of an agent, which then proves by its token or permit that it belongs to this edge
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
