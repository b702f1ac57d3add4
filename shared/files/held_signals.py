"""Delays signals while an exception of their handlers would leave something half done."""

from __future__ import annotations

import contextlib
import signal
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

ENDING_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@contextlib.contextmanager
def held_signals(on_signal: Callable[[], object] = lambda: None) -> Iterator[list[int]]:
    """Handle the signals that come within the context at its end; yield the list of those received so far.

    `on_signal` is called at each, in the main thread. Signals are not blocked, because another thread of the process,
    such as one of onnxruntime's, would receive them instead.
    """
    received: list[int] = []
    if threading.current_thread() is not threading.main_thread():  # only the main thread runs handlers
        yield received
        return

    def hold(number: int, _: FrameType | None) -> None:
        received.append(number)
        on_signal()

    numbers = [number for number in ENDING_SIGNALS if callable(signal.getsignal(number))]
    before: dict[int, Any] = {number: signal.signal(number, hold) for number in numbers}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for number in received:
            signal.raise_signal(number)
