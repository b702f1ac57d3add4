"""Locks the state folder while a gateway runs. The kernel releases the lock when the process ends."""

from __future__ import annotations

import contextlib
import fcntl
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOCK_FILE = ".in-use"


@contextlib.contextmanager
def hold_folder(folder: Path) -> Iterator[None]:
    """Hold a shared lock on the folder as long as the context lasts; without a lock if the folder cannot be written."""
    descriptor = -1
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    try:
        yield
    finally:
        if descriptor >= 0:
            os.close(descriptor)


def is_in_use(folder: Path) -> bool:
    """Return whether a running gateway holds a lock on the folder. Raises OSError when the folder cannot be read."""
    try:
        descriptor = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)  # releases the exclusive lock, if it was taken
    return False
