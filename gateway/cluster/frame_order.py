"""Puts the complete frames of a camera in order: each waits for earlier ones that other devices still compute. Pure.

Several frames of one camera are computed at the same time on devices of different speed, so that a later frame may be
complete first. If it were published at once, the earlier frames would come too late, and their objects would not count.
Time is monotonic seconds, given by the caller.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from shared.payloads.frames import frame_name, session_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.payloads.frames import FrameInfo

MAX_ORDER_WAIT_S = 5.0
"""A frame waits at most this long for earlier ones. Assumed: events should not be delayed by more."""

MIN_ORDER_WAIT_S = 0.1
"""A frame waits at least this long for earlier ones, because transfers may differ by it. Assumed."""

PATIENCE_SHARE = 3.0
"""A frame waits for earlier ones at most this many times as long as it took itself. Simulated with six devices that are
2.6 times as slow as a seventh, 2.0 keeps all frames in order (1.0: three of five); the rest, for a device that is
held up for a moment, is assumed. Frames that were dropped are not waited for."""

MAX_ORDERED_SESSIONS = 256
"""Sessions of agents whose newest frame is remembered: more than a home has cameras."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Held(Generic[T]):
    """A complete frame that waits for the frames with the numbers `after`, at most until `until`."""

    item: T
    number: int
    after: tuple[int, ...]
    until: float


class FrameOrder(Generic[T]):
    """The complete frames that wait for earlier ones. `has_ended(frame)` returns whether a frame has an outcome."""

    def __init__(self, has_ended: Callable[[str], bool]) -> None:
        self._has_ended = has_ended
        self._held: dict[str, list[_Held[T]]] = {}
        self._newest: OrderedDict[str, int] = OrderedDict()

    def add(self, item: T, info: FrameInfo, took_s: float, now: float) -> None:
        """Add a complete frame; `took_s` is the time that it has taken so far."""
        wait_s = min(max(PATIENCE_SHARE * took_s, MIN_ORDER_WAIT_S), MAX_ORDER_WAIT_S)
        held = _Held(item, info.number, info.after, now + wait_s)
        waiting = self._held.setdefault(session_of(info.frame), [])
        waiting.append(held)
        waiting.sort(key=lambda each: each.number)

    def take_ready(self, now: float) -> list[T]:
        """Remove and return the frames that need not wait any more, those of each camera in their order."""
        ready = [item for session in list(self._held) for item in self._take_session(session, now)]
        self._held = {session: waiting for session, waiting in self._held.items() if waiting}
        return ready

    def take_all(self) -> list[T]:
        """Remove and return all frames, those of each camera in their order."""
        held, self._held = self._held, {}
        return [each.item for waiting in held.values() for each in waiting]

    def next_due(self) -> float | None:
        """Return the time at which the next frame has waited long enough in any case; None without waiting frames."""
        return min((each.until for waiting in self._held.values() for each in waiting), default=None)

    def _take_session(self, session: str, now: float) -> list[T]:
        waiting, taken = self._held[session], []
        # A frame that has waited long enough goes, and the waiting frames before it, which would be late otherwise.
        overdue = max((each.number for each in waiting if each.until <= now), default=-1)
        while waiting and (waiting[0].number <= overdue or self._is_next(session, waiting[0])):
            first = waiting.pop(0)
            self._note_taken(session, first.number)
            taken.append(first.item)
        return taken

    def _is_next(self, session: str, held: _Held[T]) -> bool:
        newest = self._newest.get(session, -1)
        return all(number <= newest or self._has_ended(frame_name(session, number)) for number in held.after)

    def _note_taken(self, session: str, number: int) -> None:
        self._newest[session] = max(number, self._newest.pop(session, -1))
        if len(self._newest) > MAX_ORDERED_SESSIONS:
            self._newest.popitem(last=False)
