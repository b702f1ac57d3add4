"""Starts a camera's agent as a process of its own, so that a driver that hangs or crashes affects no other camera."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from typing import TYPE_CHECKING

from camera_sources.camera_settings import TOKEN_VARIABLE
from shared.process.children import deepthings_command, parent_death_prefix

if TYPE_CHECKING:
    from camera_sources.camera_settings import AssignedCamera
    from shared.network.addresses import Address


async def start_agent(name: str, camera: AssignedCamera, edge: Address, token: str) -> asyncio.subprocess.Process:
    """Start `deepthings camera`, whose log goes to ours.

    It gets its settings, which contain the password, on standard input, and in its environment the `token` with which
    it identifies itself: other users can see neither. It ends when this process ends, even during its start, and gets
    no signals from the terminal. Raises OSError.
    """
    arguments = ["camera", "--settings", "-", "--name", name, "--edge", str(edge), "--parent", str(os.getpid())]
    if logging.getLogger().isEnabledFor(logging.DEBUG):
        arguments.append("-v")
    process = await asyncio.create_subprocess_exec(
        *parent_death_prefix(), *deepthings_command(), *arguments,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL, start_new_session=True,
        env={**os.environ, TOKEN_VARIABLE: token},
    )  # fmt: skip
    assert process.stdin is not None
    try:
        process.stdin.write(f"{camera.encode()}\n".encode())
        with contextlib.suppress(ConnectionError):  # it has ended already: the caller finds out when it waits for it
            await process.stdin.drain()
    except BaseException:
        process.kill()
        raise
    process.stdin.close()
    return process
