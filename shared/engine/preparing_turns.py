"""Edges of one machine, with one folder of programs, take turns in preparing a program: only the first one has to."""

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
"""A process that waits can be cancelled, so it does not wait in the lock itself."""

MAX_WAIT_S = 120.0
"""A process that has its turn for longer may be frozen: the others do not wait for it. That they prepare the
program, too, costs time and changes no result."""


@contextlib.asynccontextmanager
async def preparing_turn(program: Path) -> AsyncIterator[None]:
    """Wait until no other process prepares the program in this file, for a limited time.

    A process that ends leaves its turn to others.
    """
    with contextlib.ExitStack() as opened:
        with contextlib.suppress(OSError):  # preparing says why it cannot be read
            file = opened.enter_context(program.open("rb"))
            last_look = time.monotonic() + MAX_WAIT_S
            while not _is_locked_for_us(file) and time.monotonic() < last_look:  # noqa: ASYNC110  (others set no event)
                await asyncio.sleep(LOOK_AGAIN_S)
        yield


def _is_locked_for_us(file: IO[bytes]) -> bool:
    """Lock an open file unless another process has; where there are no locks, nobody waits."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True
