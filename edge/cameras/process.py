"""Starting the agent of a camera as a process of its own: what hangs or crashes in a driver ends there."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
from typing import TYPE_CHECKING

from camera_sources.camera_settings import TOKEN_VARIABLE
from shared.process.children import parent_death_prefix

if TYPE_CHECKING:
    from camera_sources.camera_settings import AssignedCamera
    from shared.network.addresses import Address

RUN_COMMAND = "from shared.cli import main; main()"
"""What the console script does, wherever it is installed."""


async def start_agent(name: str, camera: AssignedCamera, edge: Address, token: str) -> asyncio.subprocess.Process:
    """Start `deepthings camera`, with its settings, and so the password, by standard input; it logs where we do.

    `token` is what it presents itself with, told where no other user of this machine sees it. It ends when this process
    does, even if that is before it has begun; a signal of the terminal is ours alone. Raises OSError.
    """
    arguments = ["camera", "--settings", "-", "--name", name, "--edge", str(edge), "--parent", str(os.getpid())]
    if logging.getLogger().isEnabledFor(logging.DEBUG):
        arguments.append("-v")
    process = await asyncio.create_subprocess_exec(
        *parent_death_prefix(), sys.executable, "-P", "-c", RUN_COMMAND, *arguments,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL, start_new_session=True,
        env={**os.environ, TOKEN_VARIABLE: token},
    )  # fmt: skip
    assert process.stdin is not None
    try:
        process.stdin.write(f"{camera.encode()}\n".encode())
        with contextlib.suppress(ConnectionError):  # it has ended already: that is seen by who waits for it
            await process.stdin.drain()
    except BaseException:
        process.kill()
        raise
    process.stdin.close()
    return process
