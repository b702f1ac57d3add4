"""Messages between an edge and its fork server, one line of JSON each. Pure."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from shared.errors import ProtocolError
from shared.payloads.base import Message
from shared.wire.codec import MAX_PAYLOAD_BYTES, MessageKind

MAX_FORK_MESSAGE_BYTES = 2 * MAX_PAYLOAD_BYTES[MessageKind.SETTINGS] + 2**16
"""The largest size of a message. Settings are JSON in JSON, so every quotation mark in them becomes two characters."""


class StartAgent(Message):
    """Start an agent with these words of its command line, this token, and these settings on its standard input.

    `agent` is the number by which the edge identifies it; the edge never uses a number twice.
    """

    kind: Literal["start"] = "start"
    agent: int
    arguments: tuple[str, ...]
    token: str = Field(repr=False)
    settings: str = Field(repr=False)
    """They contain a password."""


class SignalAgent(Message):
    """Send an agent a signal, unless it has ended."""

    kind: Literal["signal"] = "signal"
    agent: int
    number: int


class AgentStarted(Message):
    """An agent was started; `process` is its process id."""

    kind: Literal["started"] = "started"
    agent: int
    process: int


class AgentNotStarted(Message):
    """An agent could not be forked; `errno` is the reason."""

    kind: Literal["not_started"] = "not_started"
    agent: int
    errno: int


class AgentEnded(Message):
    """An agent has ended with the exit code `code`; -n if signal n has ended it."""

    kind: Literal["ended"] = "ended"
    agent: int
    code: int


ForkMessage = StartAgent | SignalAgent | AgentStarted | AgentNotStarted | AgentEnded
_any_message: TypeAdapter[ForkMessage] = TypeAdapter(Annotated[ForkMessage, Field(discriminator="kind")])


def encode_message(message: ForkMessage) -> bytes:
    """Return the line of a message."""
    return message.model_dump_json().encode() + b"\n"


def decode_message(line: bytes) -> ForkMessage:
    """Parse a line. Raises ProtocolError, which does not contain the line, if it is no message."""
    try:
        return _any_message.validate_json(line)
    except ValidationError:
        raise ProtocolError("an edge and its fork server do not understand each other; restart the edge") from None


class MessageBuffer:
    """Splits received bytes into lines."""

    def __init__(self) -> None:
        self._unfinished = b""

    def add(self, data: bytes) -> list[bytes]:
        """Add received bytes; return the lines that are complete now. Raises ProtocolError if a line is too long."""
        *lines, self._unfinished = (self._unfinished + data).split(b"\n")
        if len(self._unfinished) > MAX_FORK_MESSAGE_BYTES:
            raise ProtocolError(f"a message of more than {MAX_FORK_MESSAGE_BYTES} bytes")
        return lines
