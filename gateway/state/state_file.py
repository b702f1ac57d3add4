"""One file in the state folder: what a gateway knows again after a restart."""

from __future__ import annotations

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
"""A topic to which something can be published: one that was damaged where it is kept would be tried for ever."""

MAX_STATE_FILE_BYTES = 64 * 1024 * 1024
"""A larger one is not ours: what is kept of a camera is some 100 KB at the most."""


class Envelope(Message):
    """What a state file holds: its content, the version of its form, and the release that has written it."""

    version: int = Field(ge=1, strict=True)
    release: ShortText = ""
    content: Any


class StateFile(Generic[T]):
    """One file of JSON, validated when it is read and replaced whole when it is written.

    `lost` says what a person loses while it cannot be read or written; it is logged once until it works again. A file
    of a later version, which a newer release has written, is left as it is. One without a version is of version 1.
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
        """`kind` is the type of its content; without `durable` the last seconds may be missing after a power cut.

        A release whose `kind` an older one would read wrongly counts `version` on, and reads the older ones, too.
        """
        self.path = path
        self.lost = lost
        self.unwritable = ""
        self._adapter: TypeAdapter[T] = TypeAdapter(kind)
        self._durable = durable
        self._version = version
        self._newer = ""

    @property
    def newer_release_problem(self) -> str:
        """Return that a newer release has written the file, in words; empty where that is not so."""
        if self._newer and self.missing():
            self._newer = ""
        return self._newer

    def read(self) -> T | None:
        """Return the content; None where there is no file, or none that can be read."""
        try:
            data = _read(self.path)
            envelope = _opened(data)
            if envelope is None:
                return self._adapter.validate_json(data)
            if envelope.version <= self._version:
                return self._adapter.validate_python(envelope.content)
            writer = printable(envelope.release or "unknown")
            self._newer = (
                f"{self.path} cannot be read: release {writer} has written it, which is newer than "
                f"this one ({installed_version()}); update deepthings, or move that file away. Until then: {self.lost}"
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
        """Replace the content; return whether that was done.

        A failure is logged, not raised: the gateway works without its state folder.
        """
        if self.newer_release_problem:
            return False
        kept = self._adapter.dump_python(content, mode="json", exclude_none=True)
        envelope = Envelope(version=self._version, release=installed_version(), content=kept)
        try:
            write_whole(self.path, envelope.model_dump_json(indent=1).encode(), durable=self._durable)
            self.unwritable = ""
        except OSError as error:
            if not self.unwritable:
                log.warning("%s cannot be written (%s): %s", self.path, _reason(error), self.lost)
            self.unwritable = _reason(error)
        return not self.unwritable

    def touch(self) -> bool:
        """Note that the content still holds; return False where there is none any more, or none of ours."""
        if self.newer_release_problem:
            return False
        try:
            os.utime(self.path)
        except OSError:
            return False
        return True

    def missing(self) -> bool:
        """Return whether there is no such file; somebody may have removed it, or its folder, while the gateway ran."""
        return not self.path.exists()

    def age_s(self) -> float:
        """Return how long ago it was written or touched, in seconds; 0 where that cannot be known."""
        try:
            return max(0.0, time.time() - self.path.stat().st_mtime)
        except OSError:
            return 0.0


def _opened(data: bytes) -> Envelope | None:
    """Return the envelope; None where there is none, as before there were versions."""
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
