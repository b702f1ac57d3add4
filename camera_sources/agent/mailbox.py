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
    """A picture, uint8 BGR (H, W, 3), its number, and when it was taken (seconds since 1970).

    It was ready for the edge at `ready_at`; reading the camera took `cpu_s` of CPU time since the shot before.
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
        """Return whether the mailbox was empty within the time."""
        return self._emptied.wait(timeout_s)

    @property
    def empty(self) -> bool:
        return self._shot is None
