"""Decides whether a camera is online, from its pictures and failures. The caller gives the time."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass

from camera_sources.source import no_picture_for
from shared.payloads.cluster import MAX_REASON_LENGTH, State

MAX_RECENT_PICTURES = 50
"""Pictures by which the frame rate is measured: those of two seconds for most cameras."""

CONNECTING = "connecting"


@dataclass(frozen=True, slots=True)
class CameraCondition:
    """The state of a camera; `reason` says why it is offline, or states a problem while it is online.

    `fps`, `width` and `height` (in pixels, as the camera sends them) are 0 while it is offline.
    """

    state: State
    reason: str
    fps: float
    width: int
    height: int


class CameraHealth:
    """Counts a camera as online while its last picture is younger than `stale_after_s` and no opening has failed since.

    Written by the reader's thread, read by the event loop.
    """

    def __init__(self, stale_after_s: float) -> None:
        self._stale_after_s = stale_after_s
        self._lock = threading.Lock()
        self._recent: deque[float] = deque(maxlen=MAX_RECENT_PICTURES)
        self._good_at: float | None = None
        self._undecodable = False
        self._size = (0, 0)
        self._reason = CONNECTING
        self._remarks: dict[str, str] = {}
        self._failed = False
        self._lost = False
        self._live = True

    def on_opened(self, *, live: bool) -> None:
        """Note that the source was opened. A recording (not `live`) is not stale while it waits for its reader."""
        with self._lock:
            self._live = live

    def on_picture(self, now: float, size: tuple[int, int] | None) -> None:
        """Note a picture at `now` (monotonic seconds). `size`: height and width, None if it was not decoded."""
        with self._lock:
            if self._recent and now - self._recent[-1] > self._stale_after_s:
                self._recent.clear()  # the rate must not include the pause
            self._recent.append(now)
            if size is None and self._undecodable:
                return  # a picture that was not decoded does not prove that pictures are good again
            self._good_at, self._undecodable = now, False
            self._size = size or self._size
            self._reason, self._failed, self._lost = "", False, False

    def on_broken_picture(self, reason: str) -> None:
        """Note data that is not a picture; `reason` is reported if no good picture follows."""
        with self._lock:
            self._undecodable = True
            self._reason = reason[:MAX_REASON_LENGTH]

    def on_failure(self, reason: str) -> None:
        """Note that the source failed and will be opened again; a camera that was online stays so until that fails."""
        with self._lock:
            self._lost = self._failed or self._good_at is None
            self._failed = True
            self._reason = reason[:MAX_REASON_LENGTH]

    def set_remark(self, kind: str, text: str) -> None:
        """Set the remark of one kind, which is reported while the camera is online; an empty text removes it."""
        with self._lock:
            self._remarks.pop(kind, None)
            if text:
                self._remarks[kind] = text

    def condition(self, now: float) -> CameraCondition:
        """Return the camera's condition at `now` (monotonic seconds)."""
        with self._lock:
            if self._good_at is None or self._lost or self._stale(now - self._good_at):
                return CameraCondition(State.OFFLINE, self._reason or no_picture_for(self._stale_after_s), 0.0, 0, 0)
            rate = (len(self._recent) - 1) / max(1e-3, now - self._recent[0])
            remarks = "; ".join(self._remarks.values())[:MAX_REASON_LENGTH]
            return CameraCondition(State.ONLINE, remarks, round(rate, 1), self._size[1], self._size[0])

    def _stale(self, age_s: float) -> bool:
        waits = not self._live and not self._reason
        return not waits and age_s > self._stale_after_s
