"""What Home Assistant was told, kept in a file: it is taken back though the gateway was away when it went."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

from shared.whole_file import write_whole

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

log = logging.getLogger(__name__)

LARGEST_FILE_BYTES = 64 * 1024 * 1024
"""A message of the largest size the broker takes for each of 60 cameras; a larger file is not ours."""


def read_announced(path: Path) -> dict[str, str]:
    """Payloads by topic; none where there is no such file, or none that can be read: that is told in the log."""
    try:
        return _messages(path)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        log.warning(
            "%s cannot be read (%s): what was removed since the gateway ran last may stay in Home Assistant; delete it "
            "there", path, error,
        )  # fmt: skip
        return {}


def write_announced(path: Path, messages: Mapping[str, str]) -> None:
    """Keep them; where that fails, it is told in the log."""
    try:
        write_whole(path, json.dumps(messages, ensure_ascii=False).encode())
    except OSError as error:
        log.warning(
            "%s cannot be written (%s): what is removed while the gateway is away will stay in Home Assistant",
            path, error,
        )  # fmt: skip


def _messages(path: Path) -> dict[str, str]:
    if path.stat().st_size > LARGEST_FILE_BYTES:
        raise ValueError("it is too large")
    said = json.loads(path.read_bytes())
    if not isinstance(said, dict) or not all(isinstance(payload, str) for payload in said.values()):
        raise ValueError("it does not hold payloads by topic")
    return said
