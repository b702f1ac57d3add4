"""Child processes that neither outlive us nor ignore us."""

from __future__ import annotations

import asyncio
import shutil


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
