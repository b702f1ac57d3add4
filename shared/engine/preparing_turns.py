"""Turns in preparing a program, for edges that share a machine and a folder of programs.

Only the edge with the first turn prepares the program; the others find it prepared.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import time
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

LOOK_AGAIN_S = 0.05
"""Period at which a waiting process tries the lock: waiting in the lock itself could not be cancelled."""

MAX_WAIT_S = 120.0
"""A process whose turn lasts longer may be frozen, so the others stop waiting, and prepare the program themselves.
That costs time, but changes no result."""


@contextlib.asynccontextmanager
async def preparing_turn(program: Path) -> AsyncIterator[None]:
    """Wait until no other process prepares the program in this file, but at most MAX_WAIT_S.

    The turn ends with the context, or with the process.
    """
    with contextlib.ExitStack() as opened:
        with contextlib.suppress(OSError):  # preparing the program reports why the file cannot be read
            file = opened.enter_context(program.open("rb"))
            last_look = time.monotonic() + MAX_WAIT_S
            while not _is_locked_for_us(file) and time.monotonic() < last_look:  # noqa: ASYNC110  (others set no event)
                await asyncio.sleep(LOOK_AGAIN_S)
        yield


def _is_locked_for_us(file: IO[bytes]) -> bool:
    """Lock an open file; return whether this process may go on: it has the lock, or the file system has no locks."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True
