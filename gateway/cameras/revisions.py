"""Computes the revision of a camera's settings: a number by which edges notice a change without seeing the settings."""

from __future__ import annotations

import hmac
import json
import logging
import secrets
from hashlib import sha256
from typing import TYPE_CHECKING

from shared.files.whole_file import write_whole
from shared.reasons.system_reasons import system_reason

if TYPE_CHECKING:
    from pathlib import Path

    from camera_sources.camera_settings import CameraSettings

log = logging.getLogger(__name__)

REVISION_KEY_FILE = "revisions.key"
REVISION_KEY_BYTES = 32

REVISION_BITS = 52
"""Bits of a revision. Programs that read JSON numbers as floating point are exact up to 53 bits."""


class Revisions:
    """Computes revisions. They stay the same as long as the settings do, also over restarts of the gateway.

    Revisions are published, and the settings may contain a password. Therefore a revision is a keyed hash: nobody can
    guess a password with it, unless he has the key in the state folder.
    """

    def __init__(self, folder: Path) -> None:
        """Read the key from the folder, or make one. If it cannot be written, agents restart with the gateway."""
        self._key = _read(folder / REVISION_KEY_FILE) or _make(folder / REVISION_KEY_FILE)

    def revision_of(self, settings: CameraSettings) -> int:
        """Return the revision of these settings."""
        content = settings.model_dump(mode="json")
        content["source"] = settings.source.get_secret_value()
        digest = hmac.new(self._key, json.dumps(content, sort_keys=True).encode(), sha256).digest()
        return int.from_bytes(digest[:8], "big") >> (64 - REVISION_BITS)


def _read(path: Path) -> bytes | None:
    try:
        key = path.read_bytes()
    except OSError:
        return None
    return key if len(key) == REVISION_KEY_BYTES else None


def _make(path: Path) -> bytes:
    key = secrets.token_bytes(REVISION_KEY_BYTES)
    try:
        write_whole(path, key)
    except OSError as error:
        log.warning(
            "%s cannot be written (%s): camera agents restart whenever the gateway does", path, system_reason(error)
        )
    return key
