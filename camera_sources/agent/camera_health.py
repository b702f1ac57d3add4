"""Whether a camera is there: from its pictures and its failures. Pure but for a lock: time is told."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass

from camera_sources.source import no_picture_for
from shared.payloads.cluster import MAX_REASON_LENGTH, State

RECENT = 50
"""Pictures from which the rate is taken: two seconds of most cameras."""

CONNECTING = "connecting"


@dataclass(frozen=True, slots=True)
class Condition:
    """What is told of a camera: `reason` why it is offline, or what is wrong although it is online; pictures a second
    and pixels as it gives them, else 0."""

    state: State
    reason: str
    fps: float
    width: int
    height: int


class Health:
    """Online while the last picture is younger than `stale_after_s` and opening it has not failed since.

    Told by the reader's thread, asked by the loop.
    """

    def __init__(self, stale_after_s: float) -> None:
        self._stale_after_s = stale_after_s
        self._lock = threading.Lock()
        self._recent: deque[float] = deque(maxlen=RECENT)
        self._good_at: float | None = None
        self._undecodable = False
        self._size = (0, 0)
        self._reason = CONNECTING
        self._remarks: dict[str, str] = {}
        self._failed = False
        self._lost = False
        self._live = True

    def opened(self, *, live: bool) -> None:
        """What follows is from a camera, or from a recording, which is not stale while it waits for its reader."""
        with self._lock:
            self._live = live

    def picture(self, now: float, size: tuple[int, int] | None) -> None:
        """One came at `now` (seconds of a clock that never goes back); height and width if it was decoded."""
        with self._lock:
            if self._recent and now - self._recent[-1] > self._stale_after_s:
                self._recent.clear()  # the pause says nothing about the rate
            self._recent.append(now)
            if size is None and self._undecodable:
                return  # nobody looked at this one, and the one before was none
            self._good_at, self._undecodable = now, False
            self._size = size or self._size
            self._reason, self._failed, self._lost = "", False, False

    def broken(self, reason: str) -> None:
        """What came was no picture; should none follow that can be decoded, that is why."""
        with self._lock:
            self._undecodable = True
            self._reason = reason[:MAX_REASON_LENGTH]

    def failed(self, reason: str) -> None:
        """The source failed and will be opened again. One that worked counts as online until that fails, too."""
        with self._lock:
            self._lost = self._failed or self._good_at is None
            self._failed = True
            self._reason = reason[:MAX_REASON_LENGTH]

    def remark(self, kind: str, text: str) -> None:
        """From now on `text` is told of the camera while it is online; an empty one takes it back."""
        with self._lock:
            self._remarks.pop(kind, None)
            if text:
                self._remarks[kind] = text

    def condition(self, now: float) -> Condition:
        """How the camera is at `now`."""
        with self._lock:
            if self._good_at is None or self._lost or self._stale(now - self._good_at):
                return Condition(State.OFFLINE, self._reason or no_picture_for(self._stale_after_s), 0.0, 0, 0)
            rate = (len(self._recent) - 1) / max(1e-3, now - self._recent[0])
            remarks = "; ".join(self._remarks.values())[:MAX_REASON_LENGTH]
            return Condition(State.ONLINE, remarks, round(rate, 1), self._size[1], self._size[0])

    def _stale(self, age_s: float) -> bool:
        waits = not self._live and not self._reason
        return not waits and age_s > self._stale_after_s
