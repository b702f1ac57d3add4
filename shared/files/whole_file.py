"""Atomic writing of files: other processes see the old content or the new content, never a part of it."""

from __future__ import annotations

import contextlib
import os
import secrets
from typing import TYPE_CHECKING, BinaryIO

from shared.files.unfinished import unfinished_name

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def write_whole(
    path: Path,
    content: bytes | memoryview,
    *,
    durable: bool = True,
    mode: int | None = 0o600,
    owner: tuple[int, int] | None = None,
) -> None:
    """Write `content` to `path` atomically and create its folder; the options are those of `open_whole`.

    Raises OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with open_whole(path, durable=durable, mode=mode, owner=owner) as file:
        file.write(content)


@contextlib.contextmanager
def open_whole(
    path: Path, *, durable: bool = True, mode: int | None = 0o600, owner: tuple[int, int] | None = None
) -> Iterator[BinaryIO]:
    """Open a temporary file beside `path`, and rename it to `path` at the end of the context; an error removes it.

    `mode` is the file's mode; None: what the umask leaves of 0666. `owner` is the user and group id of the file; only
    root can set it. `durable` waits until the disk has the content. Without it the file is safe from everything but a
    power cut, and frequent writes wear SD cards less. Raises OSError.
    """
    # Two threads may write the same path, hence the random part. The name tells the process, so that a later process
    # can remove the leftovers of a killed one.
    temporary = path.with_name(unfinished_name(f".{path.name}.{secrets.token_hex(4)}"))
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    descriptor = os.open(temporary, flags, 0o666 if mode is None else 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            if owner is not None:
                os.fchown(file.fileno(), *owner)
            if mode is not None:
                os.fchmod(file.fileno(), mode)  # after fchown, which clears special bits
            yield file
            if durable:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
