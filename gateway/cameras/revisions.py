"""Telling edges whether a camera's settings have changed, without telling the settings."""

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
"""So that every program that reads JSON has it exactly."""


class Revisions:
    """Numbers that are equal as long as settings are, over restarts of the gateway too.

    They are published, and a password may be in the settings: so a key in the state folder takes part, without which
    nobody can try passwords against them.
    """

    def __init__(self, folder: Path) -> None:
        """Read the key, or make one; where it cannot be kept, agents begin anew whenever the gateway does."""
        self._key = _read(folder / REVISION_KEY_FILE) or _make(folder / REVISION_KEY_FILE)

    def revision_of(self, settings: CameraSettings) -> int:
        """Return the revision of these settings."""
        told = settings.model_dump(mode="json")
        told["source"] = settings.source.get_secret_value()
        digest = hmac.new(self._key, json.dumps(told, sort_keys=True).encode(), sha256).digest()
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
            "%s cannot be written (%s): cameras begin anew at a restart of the gateway", path, system_reason(error)
        )
    return key
