"""Child processes that neither outlive us nor ignore us; threads that step back behind others."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sys
import threading

BACKGROUND = 10
"""The niceness of what computes: it has a tenth of the weight of what answers others."""


def step_back() -> None:
    """Have the calling thread let others of this machine go first, where threads have a priority of their own (Linux).

    Threads that it starts are as patient. One that is more patient already stays so.
    """
    if sys.platform == "linux":
        thread = threading.get_native_id()
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, thread, max(BACKGROUND, os.getpriority(os.PRIO_PROCESS, thread)))


def dying_with_parent(user: str | None = None) -> list[str]:
    """What to put before a command so that it ends when its parent is killed (Linux; elsewhere nothing).

    A program that changes its user itself loses that promise: name the `user`, and it starts as that one.
    """
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        return []
    change = [f"--reuid={user}", f"--regid={user}", "--init-groups"] if user else []
    return [setpriv, *change, "--pdeathsig", "TERM", "--"]


async def stop_process(process: asyncio.subprocess.Process, timeout_s: float) -> None:
    """SIGTERM, and SIGKILL for one that has not ended in time."""
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(timeout_s):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
