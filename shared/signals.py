"""Signals that end a process: heard by a thread of its own, so that no event loop that hangs can make it immortal."""

from __future__ import annotations

import contextlib
import logging
import os
import select
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import FrameType
    from typing import NoReturn

log = logging.getLogger(__name__)

STOP_WITHIN_S = 15.0
"""From a first signal to the end: an edge stops a camera's agent in 8 s at the most, a gateway its broker in 5 s."""

HURRY_WITHIN_S = 0.7
"""From a second signal to the end: who asks twice waits no longer, but temporary folders can still be removed."""

LAST_WORDS_S = 0.2
"""Whoever reads our standard error may be frozen: what is still unwritten then is lost."""


class SignalWatch:
    """Hears signals in a thread of its own, from its making on; the process ends in time whatever becomes of the rest.

    `stop` is called at the first signal, `hurry` at the second one, both in that thread. Make it in the main thread.
    """

    def __init__(self, numbers: Sequence[signal.Signals], stop: Callable[[], None], hurry: Callable[[], None]) -> None:
        self.heard: list[signal.Signals] = []
        self._numbers = numbers
        self._stop, self._hurry = stop, hurry
        self._reading, self._writing = os.pipe()
        os.set_blocking(self._writing, False)
        self._before = [signal.signal(number, self._on_signal) for number in numbers]
        signal.set_wakeup_fd(self._writing, warn_on_full_buffer=False)
        self._thread = threading.Thread(target=self._watch, name="signals", daemon=True)
        self._thread.start()

    def restore(self) -> None:
        """Give the signals back to whoever had them before; a deadline that runs goes on."""
        signal.set_wakeup_fd(-1)
        for number, handler in zip(self._numbers, self._before, strict=True):
            signal.signal(number, handler)

    def _on_signal(self, number: int, _: FrameType | None) -> None:
        """Pass on what the thread did not hear itself, as an event loop has handlers of its own.

        The interpreter calls this in the main thread, when that is not in a call that hangs.
        """
        ours = self._writing
        others = signal.set_wakeup_fd(ours, warn_on_full_buffer=False)
        if others != ours:
            signal.set_wakeup_fd(others, warn_on_full_buffer=False)
            with contextlib.suppress(BlockingIOError):  # so many signals wait that one more says nothing new
                os.write(ours, bytes((number,)))

    def _watch(self) -> None:
        """Count signals until `restore`, and wait for the end if one is due."""
        ends_at: float | None = None
        while True:
            left_s = None if ends_at is None else max(0.0, ends_at - time.monotonic())
            if not select.select([self._reading], [], [], left_s)[0]:
                said = (
                    "" if len(self.heard) > 1 else f"the process did not stop within {STOP_WITHIN_S:.0f} s; it is ended"
                )
                end_at_once(128 + self.heard[0], said)
            for number in os.read(self._reading, 64):
                if number not in self._numbers:
                    continue
                self.heard.append(signal.Signals(number))
                first = len(self.heard) == 1
                if len(self.heard) <= 2:
                    ends_at = time.monotonic() + (STOP_WITHIN_S if first else HURRY_WITHIN_S)
                    with contextlib.suppress(RuntimeError):  # the event loop has closed: nobody needs to be told
                        (self._stop if first else self._hurry)()


def end_at_once(exit_code: int, farewell: str = "") -> NoReturn:
    """End the process from any thread, without its clean-up; `farewell` is logged before, if that can be done soon."""

    def last_words() -> None:
        if farewell:
            log.warning(farewell)
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.flush()

    speaking = threading.Thread(target=last_words, daemon=True)
    with contextlib.suppress(RuntimeError):  # no thread can be started any more
        speaking.start()
        speaking.join(LAST_WORDS_S)
    os._exit(exit_code)


@contextlib.contextmanager
def ended_by_interrupt() -> Iterator[None]:
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
