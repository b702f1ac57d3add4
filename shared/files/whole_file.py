"""Writing a file so that it is never seen half."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from shared.files.unfinished import unfinished_name


def write_whole(
    path: Path, content: bytes, *, durable: bool = True, mode: int = 0o600, owner: tuple[int, int] | None = None
) -> None:
    """Write beside it, then take its place: whoever reads it, or loses power, has the old or the new one.

    Its folder is made. `owner` is the user and group who get the file, which only root can say. Without `durable` the
    disk is not waited for: what is written often spares SD cards so, and is safe from everything but a power cut.
    Raises OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=unfinished_name(""))
    try:
        with os.fdopen(descriptor, "wb") as file:
            if owner is not None:
                os.fchown(file.fileno(), *owner)
            os.fchmod(file.fileno(), mode)
            file.write(content)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
