"""Signals that end a process: heard by a thread of its own, so that no event loop that hangs can make it immortal."""

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
from typing import TYPE_CHECKING, Any, TypeVarTuple, Unpack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import NoReturn

log = logging.getLogger(__name__)

Ts = TypeVarTuple("Ts")

PROCESS_STOP_TIMEOUT_S = 15.0
"""From a first signal to the end: an edge stops a camera's agent in 8 s at the most, a gateway its broker in 5 s."""

SECOND_SIGNAL_TIMEOUT_S = 0.7
"""From a second signal to the end: who asks twice waits no longer, but temporary folders can still be removed."""

FLUSH_TIMEOUT_S = 0.2
"""Whoever reads our standard error may be frozen: what is still unwritten then is lost."""


class SignalWatch:
    """Hears signals in a thread of its own, from its making on; the process ends in time whatever becomes of the rest.

    `stop` is called at the first signal, `hurry` at the second one, both in that thread. Make it in the main thread.
    """

    def __init__(self, numbers: Sequence[signal.Signals], stop: Callable[[], None], hurry: Callable[[], None]) -> None:
        self.received: list[signal.Signals] = []
        self._stop, self._hurry = stop, hurry
        self._redirected: dict[int, Callable[[], None]] = {}
        self._before: dict[int, Any] = {}
        self._reading, self._writing = os.pipe()
        os.set_blocking(self._writing, False)
        for number in numbers:
            self._install(number)
        signal.set_wakeup_fd(self._writing, warn_on_full_buffer=False)
        self._thread = threading.Thread(target=self._watch, name="signals", daemon=True)
        self._thread.start()

    def redirect(self, number: int, callback: Callable[[], None]) -> None:
        """Have a signal mean something else: `callback` is called in the thread. Call in the main thread."""
        self._redirected[number] = callback
        self._install(number)

    def restore(self) -> None:
        """Give the signals back to whoever had them before; a deadline that runs goes on."""
        signal.set_wakeup_fd(-1)
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _install(self, number: int) -> None:
        if number not in self._before:
            self._before[number] = signal.signal(number, lambda *_: None)  # the thread is told by the wakeup fd

    def _watch(self) -> None:
        """Count signals for ever, and wait for the end if one is due."""
        ends_at: float | None = None
        while True:
            left_s = None if ends_at is None else max(0.0, ends_at - time.monotonic())
            if not select.select([self._reading], [], [], left_s)[0]:
                late = f"the process did not stop within {PROCESS_STOP_TIMEOUT_S:.0f} s; it is ended"
                exit_now(128 + self.received[0], late if len(self.received) == 1 else "")
            for number in os.read(self._reading, 64):
                call = self._redirected.get(number)
                if call is None and number in self._before:  # others are heard by somebody else in this process
                    self.received.append(signal.Signals(number))
                    if len(self.received) == 1:
                        ends_at, call = time.monotonic() + PROCESS_STOP_TIMEOUT_S, self._stop
                    elif len(self.received) == 2:
                        ends_at, call = time.monotonic() + SECOND_SIGNAL_TIMEOUT_S, self._hurry
                if call is not None:
                    with contextlib.suppress(RuntimeError):  # the event loop has closed: nobody needs to be told
                        call()


class WatchedLoop(asyncio.SelectorEventLoop):
    """An event loop that leaves signals to a watch: its own way of hearing them would make that one deaf."""

    def __init__(self, watch: SignalWatch) -> None:
        super().__init__()
        self._watch = watch
        self.set_exception_handler(_on_stray_error)

    def add_signal_handler(self, sig: int, callback: Callable[[Unpack[Ts]], object], *args: *Ts) -> None:
        """As every loop's; at a signal that would stop the process, it does not any more."""

        def tell() -> None:
            self.call_soon_threadsafe(callback, *args)

        self._watch.redirect(sig, tell)

    def remove_signal_handler(self, sig: int) -> bool:
        """Have the signal do nothing: a reload that is asked for while we stop must not end us on the spot."""
        self._watch.redirect(sig, lambda: None)
        return True


def _on_stray_error(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Take it lightly that aiomqtt wants to write to a socket that has just been closed: it hears of that, too."""
    if isinstance(context.get("exception"), OSError) and "add_writer" in repr(context.get("handle")):
        log.debug("a connection was closed before it was written to", exc_info=context["exception"])
    else:
        loop.default_exception_handler(context)


def exit_now(exit_code: int, farewell: str = "") -> NoReturn:
    """End the process from any thread, without its clean-up; `farewell` is logged before, if that can be done soon."""

    def last_words() -> None:
        if farewell:
            log.warning(farewell)
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.flush()

    speaking = threading.Thread(target=last_words, daemon=True)
    with contextlib.suppress(RuntimeError):  # no thread can be started any more
        speaking.start()
        speaking.join(FLUSH_TIMEOUT_S)
    os._exit(exit_code)


def exit_cleanly_on_signal() -> None:
    """Have a first SIGTERM or SIGHUP end the process by SystemExit, so that its temporary folders are removed."""

    def end(number: int, _: object) -> NoReturn:
        for each in before:
            signal.signal(each, signal.SIG_DFL)  # who asks twice waits no longer
        raise SystemExit(128 + number)

    if threading.current_thread() is not threading.main_thread():
        return
    before = [number for number in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(number) is signal.SIG_DFL]
    for number in before:
        signal.signal(number, end)


@contextlib.contextmanager
def quiet_interrupt() -> Iterator[None]:
    """Have Ctrl-C end the process here without a word: while it only begins, a traceback tells nobody anything."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        if before is signal.default_int_handler:
            signal.signal(signal.SIGINT, before)
