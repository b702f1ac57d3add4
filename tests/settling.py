"""Waiting for what other tasks of the same loop do, and not for a time or for a number of turns."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

TURNS_CAP = 10_000
LOOK_AGAIN_S = 0.001


async def settled() -> None:
    """Let all tasks run until each of them waits for something that has not happened yet."""
    ready = asyncio.get_running_loop()._ready  # type: ignore[attr-defined]
    for _ in range(TURNS_CAP):
        await asyncio.sleep(0)
        if not ready:
            return
    raise AssertionError("there is a task that never waits")


async def until(what: str, condition: Callable[[], object], timeout_s: float = 10) -> None:
    """Wait until `condition()` holds, of which nobody tells."""
    try:
        async with asyncio.timeout(timeout_s):
            while not condition():  # noqa: ASYNC110
                await asyncio.sleep(LOOK_AGAIN_S)
    except TimeoutError:
        raise AssertionError(f"{what} did not happen") from None
