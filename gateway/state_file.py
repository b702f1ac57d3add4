"""Files in the state folder: what a gateway knows again after a restart."""

from __future__ import annotations

import logging
import os
import time
from typing import TYPE_CHECKING, Annotated, Any, Generic, TypeVar

from pydantic import Field, TypeAdapter, ValidationError

from shared.reasons import reason
from shared.whole_file import write_whole

if TYPE_CHECKING:
    from pathlib import Path

log = logging.getLogger(__name__)

T = TypeVar("T")

TopicName = Annotated[str, Field(min_length=1, max_length=65535, pattern=r"^[^#+\x00]+$")]
"""A topic to which something can be published: one that was damaged where it is kept would be tried for ever."""

LARGEST_FILE_BYTES = 64 * 1024 * 1024
"""A larger one is not ours: what is kept of a camera is some 100 KB at the most."""


class StateFile(Generic[T]):
    """One file of JSON, validated when it is read and replaced whole when it is written.

    `lost` says what a person loses while it cannot be read or written; it is logged once until it works again.
    """

    def __init__(self, path: Path, kind: Any, lost: str, *, durable: bool = True) -> None:  # noqa: ANN401  (a type)
        """`kind` is the type of its content; without `durable` the last seconds may be missing after a power cut."""
        self.path = path
        self._adapter: TypeAdapter[T] = TypeAdapter(kind)
        self._lost = lost
        self._durable = durable
        self._failing = False

    def read(self) -> T | None:
        """Return the content; None where there is no file, or none that can be read."""
        try:
            return self._adapter.validate_json(_read(self.path))
        except FileNotFoundError:
            return None
        except ValidationError:
            log.warning("%s cannot be read (it is damaged, or of another release): %s", self.path, self._lost)
        except (OSError, ValueError) as error:
            log.warning("%s cannot be read (%s): %s", self.path, _reason(error), self._lost)
        return None

    def write(self, content: T) -> bool:
        """Replace the content; return whether that was done.

        A failure is logged, not raised: the gateway works without its state folder.
        """
        try:
            write_whole(self.path, self._adapter.dump_json(content, exclude_none=True, indent=1), durable=self._durable)
            self._failing = False
        except OSError as error:
            if not self._failing:
                log.warning("%s cannot be written (%s): %s", self.path, _reason(error), self._lost)
            self._failing = True
        return not self._failing

    def touch(self) -> bool:
        """Note that the content still holds; return False where there is none any more."""
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


def _read(path: Path) -> bytes:
    if path.stat().st_size > LARGEST_FILE_BYTES:
        raise ValueError(f"it is larger than {LARGEST_FILE_BYTES} bytes")
    return path.read_bytes()


def _reason(error: Exception) -> str:
    return reason(error) if isinstance(error, OSError) else str(error)
