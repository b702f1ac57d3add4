"""Messages between an edge and its fork server, one line of JSON each. Pure."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields

from shared.errors import ProtocolError
from shared.wire.codec import MAX_PAYLOAD_BYTES, MessageKind

MAX_MESSAGE_BYTES = 2 * MAX_PAYLOAD_BYTES[MessageKind.SETTINGS] + 2**16
"""Settings in JSON, once more in JSON: every quotation mark in them becomes two characters."""


@dataclass(frozen=True, slots=True)
class StartAgent:
    """Start an agent: the words of its command line, its token, and its settings as it reads them.

    `agent` is a number that the edge gives it; no other agent ever has it.
    """

    agent: int
    arguments: tuple[str, ...]
    token: str
    settings: str

    def __repr__(self) -> str:
        """Return what may be logged: neither the token nor the settings, which contain a password."""
        return f"StartAgent({self.agent})"


@dataclass(frozen=True, slots=True)
class SignalAgent:
    """Send an agent a signal, unless it has ended."""

    agent: int
    signal: int


@dataclass(frozen=True, slots=True)
class AgentStarted:
    """An agent runs, as this process."""

    agent: int
    process: int


@dataclass(frozen=True, slots=True)
class AgentNotStarted:
    """An agent could not be forked, for this `errno`."""

    agent: int
    errno: int


@dataclass(frozen=True, slots=True)
class AgentEnded:
    """An agent has ended with this exit code; -n when signal n has ended it."""

    agent: int
    code: int


ForkMessage = StartAgent | SignalAgent | AgentStarted | AgentNotStarted | AgentEnded
_KINDS: dict[str, type[ForkMessage]] = {
    kind.__name__: kind for kind in (StartAgent, SignalAgent, AgentStarted, AgentNotStarted, AgentEnded)
}


def encode_message(message: ForkMessage) -> bytes:
    """Return the line of a message."""
    return json.dumps([type(message).__name__, asdict(message)]).encode() + b"\n"


def decode_message(line: bytes) -> ForkMessage:
    """Parse a line. Raises ProtocolError, which does not contain it, for anything but a message."""
    try:
        name, values = json.loads(line)
        kind = _KINDS[name]
        if set(values) != {field.name for field in fields(kind)}:
            raise ValueError(name)  # noqa: TRY301
        message = kind(**{key: _value(key, value) for key, value in values.items()})
    except (ValueError, TypeError, KeyError):
        raise ProtocolError("a message of another version between an edge and its fork server") from None
    return message


def _value(key: str, value: object) -> str | int | tuple[str, ...]:
    """Return the value of a field. Raises TypeError for one of another type."""
    if key == "arguments" and isinstance(value, list) and all(isinstance(word, str) for word in value):
        return tuple(value)
    expected = str if key in {"token", "settings"} else int
    if key == "arguments" or not isinstance(value, expected) or isinstance(value, bool):
        raise TypeError(key)
    return value


class MessageBuffer:
    """Splits received bytes into lines."""

    def __init__(self) -> None:
        self._unfinished = b""

    def add(self, data: bytes) -> list[bytes]:
        """Return the lines that are complete now. Raises ProtocolError for one that is too long."""
        *lines, self._unfinished = (self._unfinished + data).split(b"\n")
        if len(self._unfinished) > MAX_MESSAGE_BYTES:
            raise ProtocolError(f"a message of more than {MAX_MESSAGE_BYTES} bytes")
        return lines
