"""The frames of this edge's cameras that have no outcome yet, by name. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.status.mean_count import MeanCount
from shared.payloads.frames import MAX_EARLIER_FRAMES, session_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge.frames.owned_frame import OwnedFrame
    from shared.payloads.frames import FrameInfo


class FramesUnderWay:
    """Frames, from when their tasks are queued until their outcome; times are monotonic seconds."""

    def __init__(self, now: float) -> None:
        self._frames: dict[str, OwnedFrame] = {}
        self._mean = MeanCount(now)
        self.largest_bytes = 1
        """Memory of the largest frame so far: its picture, and its pixels in the network's size."""

    def __iter__(self) -> Iterator[OwnedFrame]:
        return iter(list(self._frames.values()))

    def __len__(self) -> int:
        return len(self._frames)

    def __contains__(self, frame: str) -> bool:
        return frame in self._frames

    def find(self, frame: str) -> OwnedFrame | None:
        """Return a frame under way; None for others."""
        return self._frames.get(frame)

    def add(self, owned: OwnedFrame, now: float) -> None:
        """Add a frame."""
        self._frames[owned.info.frame] = owned
        self._mean.change(len(self._frames), now)
        self.largest_bytes = max(self.largest_bytes, owned.picture.nbytes + owned.pixels.nbytes)

    def remove(self, frame: str, now: float) -> OwnedFrame | None:
        """Remove and return a frame that has ended; return None for one that is not under way."""
        owned = self._frames.pop(frame, None)
        self._mean.change(len(self._frames), now)
        return owned

    def take_mean(self, now: float) -> float:
        """Return the mean number of frames since the last call."""
        return self._mean.take_mean(now)

    def numbers_before(self, info: FrameInfo) -> tuple[int, ...]:
        """Return the numbers of the frames of the same agent's session that are under way when this one begins."""
        session = session_of(info.frame)
        numbers = (owned.info.number for name, owned in self._frames.items() if session_of(name) == session)
        return tuple(sorted(numbers)[-MAX_EARLIER_FRAMES:])
