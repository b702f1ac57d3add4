"""Finds the connection that sends most to a port of this machine, with `ss`: the broker does not report it."""

from __future__ import annotations

import asyncio
import re
import shutil
from typing import TYPE_CHECKING

from shared.process.children import read_output

if TYPE_CHECKING:
    from collections.abc import Collection

MEASURED_S = 0.3
"""Bytes are counted over this time."""

_TIMEOUT_S = 5.0


async def busiest_peer(ports: Collection[int]) -> str:
    """Return HOST:PORT of the peer that sends most to these ports, measured over MEASURED_S; "" if that is unknown."""
    before = received_bytes(await _sockets(ports))
    await asyncio.sleep(MEASURED_S)
    after = received_bytes(await _sockets(ports))
    grown = {peer: count - before.get(peer, 0) for peer, count in after.items()}
    return max(grown, key=grown.__getitem__, default="")


def received_bytes(text: str) -> dict[str, int]:
    """Return the bytes received from each peer, from the output of `ss`: for each socket a line, and an indented line
    with its counters.
    """
    found, peer = {}, ""
    for line in text.splitlines():
        if not line[:1].isspace():
            peer = line.split()[3] if len(line.split()) >= 4 else ""
        elif peer and (match := re.search(r"\bbytes_received:(\d+)", line)):
            found[peer] = int(match[1])
    return found


async def _sockets(ports: Collection[int]) -> str:
    command = shutil.which("ss")
    if command is None:
        return ""
    wanted = " or ".join(f"sport = :{port}" for port in sorted(ports))
    process = await asyncio.create_subprocess_exec(
        command, "-tinH", "state", "established", f"( {wanted} )",
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    return await read_output(process, _TIMEOUT_S)
