"""Signals that end a process. A separate thread receives them, so the process ends even if the event loop hangs."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import select
import signal
import sys
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, TypeVarTuple, Unpack

from shared.files.held_signals import held_signals

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from typing import NoReturn

log = logging.getLogger(__name__)

R = TypeVar("R")
Ts = TypeVarTuple("Ts")


PROCESS_STOP_TIMEOUT_S = 15.0
"""Longest time from the first signal to the end of the process: an edge stops a camera's agent within 8 s, a gateway
stops its broker within 5 s."""

SECOND_SIGNAL_TIMEOUT_S = 0.7
"""Longest time from the second signal to the end of the process: enough to remove temporary folders."""

FLUSH_TIMEOUT_S = 0.2
"""Time to write the last message. The reader of our standard error may be blocked; then the message is lost."""


class SignalWatch:
    """Receives signals in its own thread, and ends the process in time even if everything else hangs.

    `stop` is called at the first signal and `hurry` at the second one, both in this thread. Create a watch in the main
    thread.
    """

    def __init__(self, numbers: Sequence[signal.Signals], stop: Callable[[], None], hurry: Callable[[], None]) -> None:
        self.received: list[signal.Signals] = []
        self._stop, self._hurry = stop, hurry
        self._redirected: dict[int, Callable[[], None]] = {}
        self._before: dict[int, Any] = {}
        # Python calls signal handlers in the main thread only, which may hang. But its C handler always writes the
        # signal's number to the wakeup fd: the thread reads it from the pipe.
        self._reading, self._writing = os.pipe()
        os.set_blocking(self._writing, False)
        for number in numbers:
            self._install(number)
        signal.set_wakeup_fd(self._writing, warn_on_full_buffer=False)
        self._thread = threading.Thread(target=self._watch, name="signals", daemon=True)
        self._thread.start()

    def redirect(self, number: int, callback: Callable[[], None]) -> None:
        """Call `callback` in the watch's thread at this signal, instead of stopping. Call this in the main thread."""
        self._redirected[number] = callback
        self._install(number)

    def restore(self) -> None:
        """Restore the previous handlers; the deadline after a signal stays in force."""
        signal.set_wakeup_fd(-1)
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _install(self, number: int) -> None:
        if number not in self._before:
            self._before[number] = signal.signal(number, lambda *_: None)  # the wakeup fd wakes the thread

    def _watch(self) -> None:
        """Receive signals for ever, and end the process at its deadline."""
        ends_at: float | None = None
        while True:
            left_s = None if ends_at is None else max(0.0, ends_at - time.monotonic())
            if not select.select([self._reading], [], [], left_s)[0]:  # the deadline has passed
                late = f"the process did not stop within {PROCESS_STOP_TIMEOUT_S:.0f} s: ending it now"
                exit_now(128 + self.received[0], late if len(self.received) == 1 else "")
            for number in os.read(self._reading, 64):
                call = self._redirected.get(number)
                if call is None and number in self._before:  # the wakeup fd also gets signals that others handle
                    self.received.append(signal.Signals(number))
                    if len(self.received) == 1:
                        ends_at, call = time.monotonic() + PROCESS_STOP_TIMEOUT_S, self._stop
                    elif len(self.received) == 2:
                        ends_at, call = time.monotonic() + SECOND_SIGNAL_TIMEOUT_S, self._hurry
                if call is not None:
                    with contextlib.suppress(RuntimeError):  # the event loop has closed already
                        call()


class WatchedLoop(asyncio.SelectorEventLoop):
    """An event loop that lets a SignalWatch receive signals, because its own wakeup fd would replace the watch's."""

    def __init__(self, watch: SignalWatch) -> None:
        super().__init__()
        self._watch = watch
        self.set_exception_handler(_on_stray_error)

    def add_signal_handler(self, sig: int, callback: Callable[[Unpack[Ts]], object], *args: *Ts) -> None:
        """Call `callback` in the loop at this signal, instead of stopping the process."""

        def schedule() -> None:
            self.call_soon_threadsafe(callback, *args)

        self._watch.redirect(sig, schedule)

    def remove_signal_handler(self, sig: int) -> bool:
        """Ignore the signal from now on: a request to reload must not end a process that is stopping."""
        self._watch.redirect(sig, lambda: None)
        return True


def _on_stray_error(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log an error that no task has handled.

    That aiomqtt registers a socket which has just been closed is logged at DEBUG level: it notices the loss anyway.
    """
    handle = repr(context.get("handle"))
    if isinstance(context.get("exception"), OSError) and ("add_writer" in handle or "add_reader" in handle):
        log.debug("a connection was closed before it was used", exc_info=context["exception"])
    else:
        loop.default_exception_handler(context)


def exit_now(exit_code: int, message: str = "") -> NoReturn:
    """End the process from any thread without clean-up; log `message` first, within FLUSH_TIMEOUT_S."""

    def flush() -> None:
        if message:
            log.warning(message)
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.flush()

    flushing = threading.Thread(target=flush, daemon=True)  # a blocked standard error must not block us
    with contextlib.suppress(RuntimeError):  # the interpreter is ending, and starts no threads
        flushing.start()
        flushing.join(FLUSH_TIMEOUT_S)
    os._exit(exit_code)


def run_coroutine(make: Callable[[], Coroutine[Any, Any, R]]) -> R:
    """Run the coroutine that `make` returns, in an event loop of its own, as asyncio.run does.

    A signal that comes meanwhile cancels the coroutine; its handler is called when the loop is closed. An exception of
    the handler in the middle of asyncio would leave the loop half closed, or coroutines that nobody awaits.
    """
    cancels: list[Callable[[], object]] = []

    def on_signal() -> None:
        for cancel in cancels:
            cancel()

    with held_signals(on_signal) as received:

        async def cancellable() -> R:
            loop, task = asyncio.get_running_loop(), asyncio.current_task()
            assert task is not None
            cancels.append(partial(loop.call_soon_threadsafe, task.cancel))
            try:
                if received:
                    raise asyncio.CancelledError
                return await make()
            finally:
                cancels.clear()  # the loop is closed next, and calls on a closed one raise

        return asyncio.run(cancellable())
