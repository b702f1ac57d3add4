"""The messages between the gateway and the commands on its machine that administer it: lines of JSON."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from shared.payloads.base import Message
from shared.payloads.fields import Name, Port, ShortText
from shared.security.member_list import Role

ADMIN_SOCKET = "admin.sock"
"""The name of the socket in the folder of keys: only a user who can read the keys can administer the cluster."""

MAX_ADMIN_LINE_BYTES = 1 << 20
"""The longest message; the list of all members has less than 100 KB."""


class InviteRequest(Message):
    """Open an invitation."""

    command: Literal["invite"] = "invite"
    role: Role = Role.EDGE
    name: Name | None = None
    again: bool = False
    host: Annotated[str, Field(max_length=128)] = ""
    """The gateway's address as the device reaches it; empty: the one that the gateway finds."""


class InviteAnswer(Message):
    """The invitation code for the device, the seconds until it expires, and the command to type on the device."""

    code: Annotated[str, Field(max_length=300)]
    command: str = ""
    ends_in_s: float


class NodesRequest(Message):
    """Report the members."""

    command: Literal["nodes"] = "nodes"


class ListedNode(Message):
    """A member, or an edge that takes part without keys; the `key_hash` of such an edge is empty."""

    name: Name
    role: Role
    key_hash: Annotated[str, Field(max_length=64)] = ""
    online: bool | None = None
    """None for cameras, whose presence the gateway does not know by this name."""


class NodesAnswer(Message):
    """The members, and whether devices without keys take part, too."""

    open: bool
    nodes: tuple[ListedNode, ...]


class RevokeRequest(Message):
    """Remove a member."""

    command: Literal["revoke"] = "revoke"
    name: Name
    role: Role | None = None


class CloseRequest(Message):
    """Close the cluster: devices without keys can no longer take part."""

    command: Literal["close"] = "close"


class AddUserRequest(Message):
    """Add a login for people and automations, or change its password; without `password` a random one is made."""

    command: Literal["add user"] = "add user"
    name: ShortText
    password: Annotated[str, Field(max_length=1000)] | None = None
    read_only: bool = False
    """The login may read, but not change anything."""


class RemoveUserRequest(Message):
    """Remove a login for people and automations."""

    command: Literal["remove user"] = "remove user"
    name: ShortText


class UserAnswer(Message):
    """The login, and where it is valid: at the gateway's own broker (if people use that one) and at the page."""

    name: ShortText
    password: Annotated[str, Field(max_length=1000)] = ""
    port: Port | None = None
    tls_port: Port | None = None
    host: ShortText
    page: Annotated[str, Field(max_length=300)] = ""
    """The address of the page; empty: there is none."""


class DoneAnswer(Message):
    """The sentence that says what was done."""

    done: str


class AdminRefusal(Message):
    """The reason why a request was refused, and the exit code for the command that sent it."""

    error: str
    exit_code: int = 1
