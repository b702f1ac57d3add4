"""The life of a process: start, run until a signal or a failure, stop cleanly."""

from __future__ import annotations

import asyncio
import functools
import logging
import signal
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from shared.process.signals import SignalWatch, WatchedLoop
from shared.systemd.notification import start_notification

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterable

    from shared.systemd.notification import ServiceManager

log = logging.getLogger(__name__)

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


@functools.cache  # reading it takes 0.3 ms
def installed_version() -> str:
    """Return the installed version of deepthings; "source" if it is not installed."""
    try:
        return version("deepthings")
    except PackageNotFoundError:
        return "source"


def run_service(main: Callable[[asyncio.Event], Awaitable[None]], *, reloads: bool = False) -> None:
    """Run `main(stop)`; the first SIGTERM, SIGINT or SIGHUP sets `stop`, the second one cancels `main`.

    The process ends in bounded time after each, even if the event loop hangs. With `reloads`, SIGHUP does not stop:
    `main` handles it. The service manager is notified while the event loop runs, and when it stops. Raises SystemExit
    after a second signal.
    """

    async def guarded() -> None:
        async with manager.watchdog():
            await main(stopping.begin())

    manager = start_notification()
    stopping = _Stopping(manager, reloads=reloads)
    try:
        with asyncio.Runner(loop_factory=lambda: WatchedLoop(stopping.watch)) as runner:
            runner.run(guarded())
    except BaseException:
        if not stopping.hurried:
            raise
        log.debug("ended by a second signal", exc_info=True)
    finally:
        stopping.watch.restore()
    if stopping.hurried:
        raise SystemExit(128 + stopping.watch.received[0])


class _Stopping:
    """Passes signals on to the task that runs the service, also signals that came before the task began."""

    def __init__(self, manager: ServiceManager, *, reloads: bool) -> None:
        self._manager = manager
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[Any] | None = None
        self._stop = asyncio.Event()
        ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN  # by nohup: a closed terminal must not stop us
        numbers = STOP_SIGNALS if ignored else (*STOP_SIGNALS, signal.SIGHUP)
        self.watch = SignalWatch(numbers, self._on_signal, self._on_signal)
        if reloads:
            self.watch.redirect(signal.SIGHUP, lambda: None)  # until `main` handles it

    @property
    def hurried(self) -> bool:
        """Return whether a second signal came, after which the service is cancelled."""
        return len(self.watch.received) > 1

    def begin(self) -> asyncio.Event:
        """Return the event that is set at the first signal. Call in the task that the second one must cancel."""
        self._task, self._loop = asyncio.current_task(), asyncio.get_running_loop()
        self._apply_signals()
        return self._stop

    def _on_signal(self) -> None:
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._apply_signals)

    def _apply_signals(self) -> None:
        """Set the event after a first signal, and cancel the task after a second one. Runs in the event loop."""
        if self.watch.received and not self._stop.is_set():
            self._manager.notify_stopping()
            self._stop.set()
        if self.hurried and self._task is not None:
            self._task.cancel()


async def run_together(*services: Coroutine[Any, Any, Any]) -> None:
    """Run `services` concurrently until one of them ends or fails; then cancel the others, in order.

    Raises the first failure. No service is left running, even if this is cancelled more than once.
    """
    tasks = [asyncio.create_task(service) for service in services]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        ended = [task for task in tasks if task.done()]
        await cancel_in_order(tasks)
    for task in ended:
        task.result()


async def cancel_in_order(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel each task when the one before it has ended, and return when all have ended.

    If this coroutine is cancelled meanwhile, cancel the remaining tasks at once, and raise CancelledError at the end.
    """
    left, interrupted = list(tasks), False
    while left:
        if not interrupted:
            left[0].cancel()
        try:
            await asyncio.wait(left[:1])
        except asyncio.CancelledError:
            interrupted = True
            for task in left:
                task.cancel()
        while left and left[0].done():
            ended = left.pop(0)
            if not ended.cancelled():
                ended.exception()  # retrieved, or asyncio logs that it never was
    if interrupted:
        raise asyncio.CancelledError
