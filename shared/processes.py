"""Child processes that neither outlive us nor ignore us."""

from __future__ import annotations

import asyncio
import shutil


def dying_with_parent() -> list[str]:
    """What to put before a command so that it ends when its parent is killed (Linux; elsewhere nothing)."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM", "--"] if setpriv else []


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
