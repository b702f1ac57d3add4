"""Reads and writes one file of the state folder, with state that is kept over restarts of the gateway."""

from __future__ import annotations

import json
import logging
import os
import time
from typing import TYPE_CHECKING, Annotated, Any, Generic, TypeVar

from pydantic import Field, TypeAdapter, ValidationError

from shared.files.whole_file import write_whole
from shared.logs.printable import printable
from shared.payloads.base import Message
from shared.payloads.fields import ShortText
from shared.process.lifecycle import installed_version
from shared.reasons.system_reasons import system_reason

if TYPE_CHECKING:
    from pathlib import Path

log = logging.getLogger(__name__)

T = TypeVar("T")

TopicName = Annotated[str, Field(min_length=1, max_length=65535, pattern=r"^[^#+\x00]+$")]
"""A topic to which a message can be published. With an invalid one from a damaged file, publishing would fail for
ever."""

MAX_STATE_FILE_BYTES = 64 * 1024 * 1024
"""Largest file that is read; the state of a camera takes some 100 KB at most."""


class Envelope(Message):
    """The top level of a state file: content, version of its format, and the release that wrote it."""

    version: int = Field(ge=1, strict=True)
    release: ShortText = ""
    content: Any


class StateFile(Generic[T]):
    """One JSON file, validated when it is read and replaced completely when it is written.

    `lost` is a sentence for people that says what is lost while the file cannot be read or written. It is logged once,
    until the file can be written again. A file of a later version, which a newer release has written, is never changed.
    A file without a version has version 1. `unwritable` is the reason why the last write failed, else "".
    """

    def __init__(
        self,
        path: Path,
        kind: Any,  # noqa: ANN401  (a type)
        lost: str,
        *,
        durable: bool = True,
        version: int = 1,
    ) -> None:
        """`kind` is the type of the content. Without `durable`, the last seconds of content may be lost in a power cut.

        `version` must be increased when older releases would misread the content; older versions must still be read.
        """
        self.path = path
        self.lost = lost
        self.unwritable = ""
        self._adapter: TypeAdapter[T] = TypeAdapter(kind)
        self._durable = durable
        self._version = version
        self._release = json.dumps(installed_version()).encode()
        self._newer = ""

    @property
    def newer_release_problem(self) -> str:
        """Return the problem that a newer release has written the file, as a sentence; "" when there is none."""
        if self._newer and self.missing():
            self._newer = ""
        return self._newer

    def read(self) -> T | None:
        """Return the content; None when the file is missing or cannot be read."""
        try:
            data = _read(self.path)
            envelope = _envelope_of(data)
            if envelope is None:
                return self._adapter.validate_json(data)
            if envelope.version <= self._version:
                return self._adapter.validate_python(envelope.content)
            writer = printable(envelope.release or "unknown")
            self._newer = (
                f"{self.path} cannot be read: it was written by release {writer}, which is newer than "
                f"this one ({installed_version()}); update deepthings, or move the file away. Until then: {self.lost}"
            )
            log.error("%s", self._newer)
        except FileNotFoundError:
            return None
        except ValidationError:
            log.warning("%s cannot be read (it is damaged): %s", self.path, self.lost)
        except (OSError, ValueError) as error:
            log.warning("%s cannot be read (%s): %s", self.path, _reason(error), self.lost)
        return None

    def write(self, content: T) -> bool:
        """Replace the content; return whether it was written.

        A failure is logged, not raised: the gateway works without its state folder.
        """
        return self.write_json(self._adapter.dump_json(content, exclude_none=True))

    def write_json(self, content: bytes) -> bool:
        """Replace the content by one that is JSON already; see `write`."""
        if self.newer_release_problem:
            return False
        # Formatted by hand, because an encoder would have to parse the content again, at ten times the cost.
        envelope = b'{"version": %d, "release": %s, "content": %s}\n' % (self._version, self._release, content)
        try:
            write_whole(self.path, envelope, durable=self._durable)
            self.unwritable = ""
        except OSError as error:
            if not self.unwritable:
                log.warning("%s cannot be written (%s): %s", self.path, _reason(error), self.lost)
            self.unwritable = _reason(error)
        return not self.unwritable

    def touch(self) -> bool:
        """Update the file's time, as its content is still valid.

        Return False when the file is missing, or a newer release has written it.
        """
        if self.newer_release_problem:
            return False
        try:
            os.utime(self.path)
        except OSError:
            return False
        return True

    def missing(self) -> bool:
        """Return whether the file does not exist; people may remove it, or its folder, while the gateway runs."""
        return not self.path.exists()

    def age_s(self) -> float:
        """Return the seconds since it was written or touched; 0 when unknown."""
        try:
            return max(0.0, time.time() - self.path.stat().st_mtime)
        except OSError:
            return 0.0


def _envelope_of(data: bytes) -> Envelope | None:
    """Return the envelope; None for a file without one, as early releases wrote it."""
    try:
        return Envelope.model_validate_json(data)
    except ValidationError:
        return None


def _read(path: Path) -> bytes:
    if path.stat().st_size > MAX_STATE_FILE_BYTES:
        raise ValueError(f"it is larger than {MAX_STATE_FILE_BYTES} bytes")
    return path.read_bytes()


def _reason(error: Exception) -> str:
    return system_reason(error) if isinstance(error, OSError) else str(error)
