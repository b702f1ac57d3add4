"""Sends requests of commands, such as `deepthings invite`, to the running gateway, by a socket on the same machine."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, TypeVar

from pydantic import ValidationError

from gateway.authority.admin_messages import MAX_ADMIN_LINE_BYTES, AdminRefusal
from gateway.authority.admin_server import ADMIN_TIMEOUT_S, socket_path
from gateway.authority.authority import KEYS_FOLDER
from gateway.state.state_lock import is_in_use
from shared.errors import DeepThingsError
from shared.reasons.system_reasons import system_reason

if TYPE_CHECKING:
    from pathlib import Path

    from shared.payloads.base import Message

A = TypeVar("A", bound="Message")


def ask_gateway(state: Path, request: Message, kind: type[A]) -> A:
    """Return the answer of the gateway that runs with this state folder.

    Raises DeepThingsError with the gateway's own error, or with the reason why it cannot be reached.
    """
    try:
        line = _exchange(state / KEYS_FOLDER, request.model_dump_json(exclude_none=True).encode() + b"\n")
    except PermissionError as error:
        raise DeepThingsError(
            f"{state} belongs to another user: run this as the user who runs the gateway, or with sudo"
        ) from error
    except (FileNotFoundError, ConnectionRefusedError) as error:
        raise DeepThingsError(_unreachable_message(state)) from error
    except OSError as error:
        raise DeepThingsError(f"the gateway does not answer: {system_reason(error)}; look into its log") from error
    try:
        return kind.model_validate_json(line)
    except ValidationError:
        pass
    try:
        refusal = AdminRefusal.model_validate_json(line)
    except ValidationError as error:
        raise DeepThingsError("the running gateway is of another release; start it again") from error
    failure = DeepThingsError(refusal.error)
    failure.exit_code = refusal.exit_code
    raise failure


def _exchange(folder: Path, line: bytes) -> bytes:
    """Send a line to the gateway, and return its answer, also a line. Raises OSError."""
    with socket_path(folder) as path, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(ADMIN_TIMEOUT_S)
        connection.connect(path)
        connection.sendall(line)
        with connection.makefile("rb") as stream:
            return stream.readline(MAX_ADMIN_LINE_BYTES)


def _unreachable_message(state: Path) -> str:
    """Return why no gateway with this state folder has a socket, and what to do."""
    try:
        runs = is_in_use(state)
    except OSError:
        runs = False
    if runs:
        return (
            "the gateway listens on this machine only, so no other device can reach it, and it has no keys and no "
            "members: start it with --listen 0.0.0.0, or set cluster.listen to 0.0.0.0 in its configuration"
        )
    return (
        f"no gateway runs with the state folder {state}: start it with 'deepthings gateway', or name its configuration "
        "with --config, or its folder with --state"
    )
