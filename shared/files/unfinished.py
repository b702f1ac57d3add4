"""Names of unfinished files and folders, so that the leftovers of a killed process are found and removed."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from shared.files.held_signals import held_signals

if TYPE_CHECKING:
    from collections.abc import Iterator

ABANDONED_AFTER_S = 3600.0
"""An entry whose name does not tell the start time of its process is abandoned after this time, even if a process with
its number runs. It is four times the longest preparation of a program."""

MAX_REMOVED_AT_ONCE = 1000
"""One call removes at most this many entries; no series of crashes leaves more."""

MEMORY_FOLDER = Path("/dev/shm")  # noqa: S108  (for a folder that nobody else can write to)
"""The parent of temporary folders when no disk is writable: a gateway with a full card must still start."""

TEMPORARY_PREFIX = "deepthings-"
"""The prefix of our folders among those of other programs."""

_NAME = re.compile(r"\.(\d+)(?:-(\d+))?\.part$")


def unfinished_name(name: str) -> str:
    """Return `name` with an ending that identifies this process: its number and its start time."""
    return f"{name}.{os.getpid()}-{_start_ticks(os.getpid())}.part"


def unfinished_path(path: Path) -> Path:
    """Return the path of the unfinished version of `path`, for this process."""
    return path.with_name(unfinished_name(path.name))


@contextlib.contextmanager
def temporary_folder(purpose: str, parent: Path | None = None) -> Iterator[Path]:
    """Create a folder in `parent`, by default among the system's temporary files, and remove it at the end.

    Folders that killed processes have left are removed first. Raises OSError.
    """
    base = parent or _temporary_place()
    remove_abandoned(base, TEMPORARY_PREFIX)
    folder: Path | None = None
    try:
        with held_signals():  # a handler's exception after mkdtemp would leave a folder that nobody removes
            folder = Path(
                tempfile.mkdtemp(prefix=f"{TEMPORARY_PREFIX}{purpose}-", suffix=unfinished_name(""), dir=base)
            )
        yield folder
    finally:
        if folder is not None:
            remove_tree(folder)


def _temporary_place() -> Path:
    """Return the system's folder for temporary files, or one in memory if none is writable."""
    try:
        return Path(tempfile.gettempdir())
    except FileNotFoundError:
        return MEMORY_FOLDER


def remove_atomically(path: Path) -> None:
    """Remove a file or folder so that other processes never see a part of it. Errors are ignored."""
    rubbish = path if _NAME.search(path.name) else unfinished_path(path)
    with contextlib.suppress(OSError):
        if rubbish != path:
            remove_tree(rubbish)
            path.rename(rubbish)
    remove_tree(rubbish)


def remove_abandoned(folder: Path, prefix: str = "") -> None:
    """Remove the unfinished entries of ended processes from `folder`, if their names begin with `prefix`.

    Entries of other users are kept.
    """
    found: list[Path] = []
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(prefix) and _NAME.search(entry.name) and _is_abandoned(entry):
                found.append(Path(entry.path))
                if len(found) == MAX_REMOVED_AT_ONCE:
                    break
    for path in found:
        remove_tree(path)


def _is_abandoned(entry: os.DirEntry[str]) -> bool:
    """Return whether this entry is ours and the process that wrote it has ended."""
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
        return _start_ticks(process) != int(began)
    return not _is_other_process(process) or time.time() - status.st_mtime > ABANDONED_AFTER_S


def remove_tree(path: Path) -> None:
    """Remove a file or a folder with its content, if it exists. Errors are ignored."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
        return
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)


def _is_other_process(process: int) -> bool:
    """Return whether a process with this number runs, and is not this one."""
    if process == os.getpid():
        return False
    try:
        os.kill(process, 0)
    except PermissionError:
        return True
    except (ProcessLookupError, OverflowError):
        return False
    return True


def _start_ticks(process: int) -> int:
    """Return the start time of a process in clock ticks since the boot; 0 if it is not known.

    See proc_pid_stat(5); the second field may contain blanks and parentheses.
    """
    try:
        return int(
            Path(f"/proc/{process}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()[19]
        )
    except (OSError, ValueError, IndexError):
        return 0
