"""Child processes that end with their parent, and threads with a low priority."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from typing import Protocol

from shared.process.signals import exit_now

BACKGROUND_NICENESS = 10
"""The niceness of computing threads: they get a tenth of the processor time of threads that answer other nodes."""

PARENT_CHECK_PERIOD_S = 0.3
"""A child checks with this period that its parent still runs; a shorter one would cost small devices too much time."""

PR_SET_PDEATHSIG = 1
"""From linux/prctl.h."""


def lower_thread_priority() -> None:
    """Lower the priority of the calling thread, and so of the threads that it starts (Linux; elsewhere a no-op).

    A thread that already has a lower priority keeps it.
    """
    if sys.platform == "linux":
        thread = threading.get_native_id()
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, thread, max(BACKGROUND_NICENESS, os.getpriority(os.PRIO_PROCESS, thread)))


def parent_death_prefix(user: str | None = None, *, number: signal.Signals = signal.SIGKILL) -> list[str]:
    """Return the words to put before a command so that the kernel sends it a signal when its parent ends.

    There are none where the program setpriv is missing. Use SIGKILL for a program that needs no clean-up, SIGTERM for
    any other; SIGTERM may come more than once. A program that changes its user loses the setting: give `user` to start
    it as that user.
    """
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        return []
    change = [f"--reuid={user}", f"--regid={user}", "--init-groups"] if user else []
    return [setpriv, *change, "--pdeathsig", number.name.removeprefix("SIG"), "--"]


def exit_with_parent(parent: int, message: str) -> None:
    """End this process within PARENT_CHECK_PERIOD_S of the end of process `parent`, and log `message`.

    This works without `parent_death_prefix`, and when the parent has ended already. On Linux the kernel ends this
    process, too, because a call into a driver can block all threads.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(PARENT_CHECK_PERIOD_S)
        exit_now(0, message)

    threading.Thread(target=watch, name="parent", daemon=True).start()


def deepthings_command() -> list[str]:
    """Return the words that start this release's command, wherever its console script is installed."""
    return [sys.executable, "-P", "-c", "from shared.cli import main; main()"]


class StoppableProcess(Protocol):
    """The part of asyncio.subprocess.Process that stopping needs."""

    @property
    def returncode(self) -> int | None: ...

    def terminate(self) -> None: ...

    def kill(self) -> None: ...

    async def wait(self) -> int: ...


async def stop_process(process: StoppableProcess, timeout_s: float) -> None:
    """Send SIGTERM, and SIGKILL if the process has not ended in time."""
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(timeout_s):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


async def run_module(module: str, text: str, timeout_s: float) -> str:
    """Run a module of this program in a child process with `text` as its input; return what it has printed.

    The process is killed when this is cancelled, or after `timeout_s`. Raises TimeoutError.
    """
    process = await asyncio.create_subprocess_exec(
        *parent_death_prefix(), sys.executable, "-P", "-m", module,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        async with asyncio.timeout(timeout_s):
            output, _ = await process.communicate(text.encode())
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return output.decode()


async def read_output(process: asyncio.subprocess.Process, timeout_s: float) -> str:
    """Return the output of a process when it ends. If that takes longer than `timeout_s`, kill it and return ""."""
    try:
        async with asyncio.timeout(timeout_s):
            output, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        return ""
    return output.decode(errors="replace")
