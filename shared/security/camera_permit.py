"""The secret by which an edge recognises camera agents that its own user starts by hand on the same machine."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from shared.errors import DeepThingsError
from shared.files.whole_file import write_whole
from shared.reasons.system_reasons import system_reason

if TYPE_CHECKING:
    from pathlib import Path

PERMIT_FILE = "camera-permit"
"""The file of the permit, in the folder of keys."""

PERMIT_BYTES = 24
"""Random bytes of a permit."""


def make_permit(folder: Path) -> str:
    """Return the permit in an edge's folder of keys; write it when it is missing. Raises DeepThingsError."""
    permit = read_permit(folder)
    if permit:
        return permit
    permit = secrets.token_urlsafe(PERMIT_BYTES)
    try:
        write_whole(folder / PERMIT_FILE, permit.encode())
    except OSError as error:
        raise DeepThingsError(f"{folder / PERMIT_FILE} cannot be written: {system_reason(error)}") from error
    return permit


def read_permit(folder: Path) -> str:
    """Return the permit in an edge's folder of keys; "" when there is none, or it is not for this user."""
    try:
        return (folder / PERMIT_FILE).read_text("ascii")[:64]
    except (OSError, UnicodeDecodeError):
        return ""
