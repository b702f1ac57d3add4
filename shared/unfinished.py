"""Names for files and folders while they are written, so that what a killed process left behind is found again."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

ABANDONED_S = 3600.0
"""What is older is not being written any more, whoever has the number of its process by now: four times as long as
preparing a program may take."""

_NAME = re.compile(r"\.(\d+)\.part$")


def unfinished(path: Path) -> Path:
    """Return the name under which this process writes what will be `path`."""
    return path.with_name(f"{path.name}.{os.getpid()}.part")


def discard(path: Path) -> None:
    """Remove a file or folder, in one step as others see it. What cannot be removed stays."""
    rubbish = path if _NAME.search(path.name) else unfinished(path)
    with contextlib.suppress(OSError):
        if rubbish != path:
            remove(rubbish)
            path.rename(rubbish)
    remove(rubbish)


def remove_abandoned(folder: Path) -> None:
    """Remove what processes that have ended were writing in `folder`, before this one writes anything there."""
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            found = _NAME.search(path.name)
            if found and (not _others(int(found[1])) or time.time() - path.stat().st_mtime > ABANDONED_S):
                remove(path)


def remove(path: Path) -> None:
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
