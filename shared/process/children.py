"""Child processes that neither outlive us nor ignore us; threads that step back behind others."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import shutil
import signal
import sys
import threading
import time

from shared.process.signals import exit_now

BACKGROUND_NICENESS = 10
"""The niceness of what computes: it has a tenth of the weight of what answers others."""


PARENT_CHECK_PERIOD_S = 0.3
"""How often a child looks whether its parent is still there: it does so for ever, on small devices."""

PR_SET_PDEATHSIG = 1
"""From linux/prctl.h."""


def lower_thread_priority() -> None:
    """Have the calling thread let others of this machine go first, where threads have a priority of their own (Linux).

    Threads that it starts are as patient. One that is more patient already stays so.
    """
    if sys.platform == "linux":
        thread = threading.get_native_id()
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, thread, max(BACKGROUND_NICENESS, os.getpriority(os.PRIO_PROCESS, thread)))


def parent_death_prefix(user: str | None = None, *, number: signal.Signals = signal.SIGKILL) -> list[str]:
    """What to put before a command so that it gets this signal when its parent is killed (Linux; elsewhere nothing).

    SIGKILL for what leaves nothing behind that the kernel does not clear away; SIGTERM, which may come more than once,
    for what has to say goodbye. A program that changes its user itself loses that promise: name the `user`, and it
    starts as that one.
    """
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        return []
    change = [f"--reuid={user}", f"--regid={user}", "--init-groups"] if user else []
    return [setpriv, *change, "--pdeathsig", number.name.removeprefix("SIG"), "--"]


def exit_with_parent(parent: int, farewell: str) -> None:
    """End this process within PARENT_CHECK_PERIOD_S of its parent's end, whatever it does then, and log `farewell`.

    Also where `parent_death_prefix` can do nothing, or came too late: `parent` is who it should be. The kernel is asked
    too, as a call into a driver may keep every thread of ours waiting.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(PARENT_CHECK_PERIOD_S)
        exit_now(0, farewell)

    threading.Thread(target=watch, name="parent", daemon=True).start()


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
