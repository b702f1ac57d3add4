"""Holds the newest picture until the edge has time for it."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.model.arrays import Pixels


@dataclass(frozen=True, slots=True)
class Shot:
    """A picture, uint8 BGR (H, W, 3), and its number.

    It was taken at `captured_at` and ready for the edge at `ready_at`, both in seconds since 1970. `cpu_s` is the CPU
    time that reading the camera took since the shot before.
    """

    number: int
    captured_at: float
    picture: Pixels
    ready_at: float = field(default_factory=time.time)
    cpu_s: float = 0.0


class Mailbox:
    """Holds one shot, the newest. Filled by the reader's thread, emptied by the event loop."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._emptied = threading.Event()
        self._emptied.set()
        self._shot: Shot | None = None

    def put_shot(self, shot: Shot) -> Shot | None:
        """Put a shot in; return the one that it replaces, if any."""
        with self._lock:
            replaced, self._shot = self._shot, shot
            self._emptied.clear()
            return replaced

    def take_shot(self) -> Shot | None:
        """Take the shot out; None if there is none."""
        with self._lock:
            shot, self._shot = self._shot, None
            self._emptied.set()
            return shot

    def wait_until_empty(self, timeout_s: float) -> bool:
        """Wait until the mailbox is empty, at most `timeout_s`; return whether it is."""
        return self._emptied.wait(timeout_s)

    @property
    def empty(self) -> bool:
        return self._shot is None
