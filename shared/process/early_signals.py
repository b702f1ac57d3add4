"""Signals of a process that is still importing its modules. This module imports little, to be ready early."""

from __future__ import annotations

import contextlib
import signal
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import NoReturn


def exit_cleanly_on_signal() -> None:
    """Raise SystemExit at the first SIGTERM or SIGHUP, so that temporary folders are removed."""

    def end(number: int, _: object) -> NoReturn:
        for each in before:
            signal.signal(each, signal.SIG_DFL)  # a second signal ends the process at once
        raise SystemExit(128 + number)

    if threading.current_thread() is not threading.main_thread():
        return
    before = [number for number in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(number) is signal.SIG_DFL]
    for number in before:
        signal.signal(number, end)


@contextlib.contextmanager
def quiet_interrupt() -> Iterator[None]:
    """End the process without a traceback at Ctrl-C within the context, in which modules are imported."""
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
