"""Holding back signals for a moment in which an exception of their handlers would leave something half made."""

from __future__ import annotations

import contextlib
import signal
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

ENDING_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@contextlib.contextmanager
def held_signals() -> Iterator[None]:
    """Handle the signals that come within the context at its end.

    Blocking them would not do: another thread, such as one of onnxruntime's, would receive them for the process.
    """
    if threading.current_thread() is not threading.main_thread():  # which alone runs handlers
        yield
        return
    received: list[int] = []

    def hold(number: int, _: FrameType | None) -> None:
        received.append(number)

    numbers = [number for number in ENDING_SIGNALS if callable(signal.getsignal(number))]
    before: dict[int, Any] = {number: signal.signal(number, hold) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for number in received:
            signal.raise_signal(number)
