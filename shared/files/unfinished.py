"""Names for files and folders while they are written, so that what a killed process left behind is found again."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ABANDONED_AFTER_S = 3600.0
"""Where it is not known when its process began, what is older is not being written any more, whoever has that number
by now: four times as long as preparing a program may take."""

MAX_REMOVED_AT_ONCE = 1000
"""Entries that one start removes; more of them than any history of crashes leaves."""

MEMORY_FOLDER = Path("/dev/shm")  # noqa: S108  (for a folder that nobody else can write to)
"""Where temporary files are while no disk has room for them: a gateway whose card is full starts all the same."""

TEMPORARY_PREFIX = "deepthings-"
"""What the names of our folders begin with where those of other programs are, too."""

_NAME = re.compile(r"\.(\d+)(?:-(\d+))?\.part$")


def unfinished_name(name: str) -> str:
    """Return `name` with an ending that says which process writes it: its number, and when it began."""
    return f"{name}.{os.getpid()}-{_began(os.getpid())}.part"


def unfinished_path(path: Path) -> Path:
    """Return the name under which this process writes what will be `path`."""
    return path.with_name(unfinished_name(path.name))


@contextlib.contextmanager
def temporary_folder(purpose: str, parent: Path | None = None) -> Iterator[Path]:
    """Make a folder in `parent`, or where temporary files can be, and remove it at the end.

    Those that killed processes have left there are removed before. Raises OSError.
    """
    place = parent or _temporary_place()
    remove_abandoned(place, TEMPORARY_PREFIX)
    folder = Path(tempfile.mkdtemp(prefix=f"{TEMPORARY_PREFIX}{purpose}-", suffix=unfinished_name(""), dir=place))
    try:
        yield folder
    finally:
        remove_tree(folder)


def _temporary_place() -> Path:
    """Return where temporary files belong, else a place in memory."""
    try:
        return Path(tempfile.gettempdir())
    except FileNotFoundError:
        return MEMORY_FOLDER


def remove_atomically(path: Path) -> None:
    """Remove a file or folder, in one step as others see it. What cannot be removed stays."""
    rubbish = path if _NAME.search(path.name) else unfinished_path(path)
    with contextlib.suppress(OSError):
        if rubbish != path:
            remove_tree(rubbish)
            path.rename(rubbish)
    remove_tree(rubbish)


def remove_abandoned(folder: Path, prefix: str = "") -> None:
    """Remove what processes that have ended were writing in `folder`, under names that begin with `prefix`.

    What is another user's stays.
    """
    found: list[Path] = []
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(prefix) and _NAME.search(entry.name) and _abandoned(entry):
                found.append(Path(entry.path))
                if len(found) == MAX_REMOVED_AT_ONCE:
                    break
    for path in found:
        remove_tree(path)


def _abandoned(entry: os.DirEntry[str]) -> bool:
    """Return whether the process that wrote this entry, which is ours, has ended."""
    written_by = _NAME.search(entry.name)
    assert written_by is not None
    try:
        status = entry.stat(follow_symlinks=False)
    except OSError:
        return False
    process, began = int(written_by[1]), written_by[2]
    if status.st_uid != os.geteuid():
        return False
    if began and int(began):
        return _began(process) != int(began)
    return not _others(process) or time.time() - status.st_mtime > ABANDONED_AFTER_S


def remove_tree(path: Path) -> None:
    """Remove a file or a folder with all that is in it, if it is there and can be removed."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
        return
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)


def _others(process: int) -> bool:
    """Return whether another process of this number lives."""
    if process == os.getpid():
        return False
    try:
        os.kill(process, 0)
    except PermissionError:
        return True
    except (ProcessLookupError, OverflowError):
        return False
    return True


def _began(process: int) -> int:
    """Return when a process began, in ticks since the machine was started; 0 where that is not known, or it has ended.

    See proc_pid_stat(5); the second field may hold blanks and parentheses.
    """
    try:
        return int(
            Path(f"/proc/{process}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()[19]
        )
    except (OSError, ValueError, IndexError):
        return 0
