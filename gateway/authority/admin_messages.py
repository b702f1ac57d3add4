"""The messages between the gateway and the commands on its machine that administer it: lines of JSON."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from shared.payloads.base import Message
from shared.payloads.fields import Name, Port, ShortText
from shared.security.member_list import Role

ADMIN_SOCKET = "admin.sock"
"""In the folder of keys: who can read the keys may administer the cluster, and nobody else."""

MAX_ADMIN_LINE_BYTES = 1 << 20
"""Of a message; the list of all members has below 100 KB."""


class InviteRequest(Message):
    """Open an invitation."""

    command: Literal["invite"] = "invite"
    role: Role = Role.EDGE
    name: Name | None = None
    again: bool = False
    host: Annotated[str, Field(max_length=128)] = ""
    """The gateway's address as the device reaches it; empty: the one that the gateway finds."""


class InviteAnswer(Message):
    """The code that the device shows, the seconds until it ends, and the command to type there."""

    code: Annotated[str, Field(max_length=300)]
    command: str = ""
    ends_in_s: float


class NodesRequest(Message):
    """Report the members."""

    command: Literal["nodes"] = "nodes"


class ListedNode(Message):
    """A member, or an edge that takes part without keys: its `key_hash` is empty."""

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
    """Let no device without keys take part any more."""

    command: Literal["close"] = "close"


class AddUserRequest(Message):
    """Add a login for people and automations, or give it a new password; without `password` a random one."""

    command: Literal["add user"] = "add user"
    name: ShortText
    password: Annotated[str, Field(max_length=1000)] | None = None


class RemoveUserRequest(Message):
    """Remove a login for people and automations."""

    command: Literal["remove user"] = "remove user"
    name: ShortText


class UserAnswer(Message):
    """The login, and where it is for."""

    name: ShortText
    password: Annotated[str, Field(max_length=1000)] = ""
    port: Port
    tls_port: Port
    host: ShortText


class DoneAnswer(Message):
    """The sentence that says what was done."""

    done: str


class AdminRefusal(Message):
    """The reason why it was not done, and the exit code of the command."""

    error: str
    exit_code: int = 1
