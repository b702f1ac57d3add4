"""The life of a process: start, run until a signal or a failure, stop cleanly, say why."""

from __future__ import annotations

import asyncio
import logging
import signal
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def release() -> str:
    """The installed version of deepthings."""
    try:
        return version("deepthings")
    except PackageNotFoundError:
        return "source"


def run_service(main: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    """Run `main(stop)`; SIGTERM and SIGINT set `stop`, and a second one of them ends it on the spot."""

    async def guarded() -> None:
        loop, stop = asyncio.get_running_loop(), asyncio.Event()
        current = asyncio.current_task()
        assert current is not None

        def on_signal() -> None:
            if stop.is_set():
                current.cancel()
            stop.set()

        for number in STOP_SIGNALS:
            loop.add_signal_handler(number, on_signal)
        await main(stop)

    asyncio.run(guarded())


async def run_together(*services: Coroutine[Any, Any, Any]) -> None:
    """Run `services` together until one of them ends or fails; then cancel the others, in order.

    The first failure is raised again.
    """
    tasks = [asyncio.create_task(service) for service in services]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        ended = [task for task in tasks if task.done()]
        for task in tasks:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
    for task in ended:
        task.result()


def configure_logging(verbosity: int) -> None:
    """To standard error: state changes, or with `verbosity` 1 every tile, or with 2 the libraries too."""
    logging.basicConfig(
        level=logging.DEBUG if verbosity else logging.INFO,
        format="%(asctime)s %(levelname)-7s %(name)s: %(message)s",
        datefmt="%H:%M:%S",
    )
    if verbosity < 2:
        for library in ("asyncio", "mqtt"):
            logging.getLogger(library).setLevel(logging.WARNING)
