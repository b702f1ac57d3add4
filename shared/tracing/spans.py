"""Records spans: parts of a frame's way, with begin and end. It is always on: a span takes about a microsecond.

Times are monotonic seconds of this process's device; shared/tracing/clocks.py aligns those of several devices.
"""

from __future__ import annotations

import time
from collections import deque
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple, ParamSpec, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

KEPT_S = 60.0
"""Spans are reported for this time after their end."""

MAX_SPANS = 16_384
"""Number of the newest spans that are kept, in at most 4 MB. They are enough for nine frames a second if one node
computes all nine tiles of each frame."""

METER_PERIOD_S = 1.0
"""Period at which the CPU time of the process is noted, while there are spans."""

P = ParamSpec("P")
Result = TypeVar("Result")


class Part(StrEnum):
    """The parts of a frame's way, in their order."""

    CAPTURE = "capture"
    INVITE = "wait for the edge"
    TRANSFER = "transfer"
    PREPARE = "prepare"
    WAIT = "wait for a device"
    FETCH = "fetch"
    STRIPS = "wait for strips"
    COMPUTE = "compute"
    SEND = "send"
    MERGE = "merge"
    FINISH = "wait for the tail"
    TAIL = "tail"
    DECODE = "decode"
    PUBLISH = "publish"
    TRACK = "track"
    STATES = "publish states"


class Span(NamedTuple):
    """One part of one frame, or of one of its tiles. `cpu_s`: CPU time of the thread that did it, None if not known."""

    part: str
    frame: str
    begin: float
    end: float
    tile: int | None = None
    cpu_s: float | None = None


class ProcessTime(NamedTuple):
    """The CPU seconds that all threads of a process used within `over_s` seconds."""

    cpu_s: float
    over_s: float


class Tracer:
    """Keeps the newest spans. `record` and `measure` may be called from any thread."""

    def __init__(self, capacity: int = MAX_SPANS) -> None:
        # Plain tuples, because making a Span would take longer than all else about recording it.
        self._spans: deque[tuple[str, str, float, float, int | None, float | None]] = deque(maxlen=capacity)
        self._meter: deque[tuple[float, float]] = deque(maxlen=int(KEPT_S / METER_PERIOD_S) + 1)
        self._meter_due = 0.0

    def record(
        self, part: Part, frame: str, begin: float, end: float, tile: int | None = None, cpu_s: float | None = None
    ) -> None:
        """Record a span that has ended."""
        self._spans.append((part, frame, begin, end, tile, cpu_s))
        if end >= self._meter_due:
            self._meter_due = end + METER_PERIOD_S
            self._meter.append((end, time.process_time()))

    def since(self, part: Part, frame: str, begin: float, tile: int | None = None) -> None:
        """Record a span that ends now, without CPU time, of a part that waited or ran in several threads."""
        self.record(part, frame, begin, time.monotonic(), tile)

    def measure(self, part: Part, frame: str, tile: int | None = None) -> _Measured:
        """Return a context whose time is recorded, with the CPU time of its thread. It must not wait in asyncio."""
        return _Measured(self, part, frame, tile)

    def call(self, part: Part, frame: str, function: Callable[P, Result], *args: P.args, **kwargs: P.kwargs) -> Result:
        """Call a function, usually in a thread of its own, and record it as `measure` does."""
        with _Measured(self, part, frame, None):
            return function(*args, **kwargs)

    def spans(self, now: float, seconds: float = KEPT_S) -> list[Span]:
        """Return the spans that ended within the last `seconds`, at most KEPT_S, in the order in which they ended."""
        oldest = now - min(seconds, KEPT_S)
        found = (Span(*kept) for kept in tuple(self._spans))
        return sorted((span for span in found if span.end >= oldest), key=lambda span: span.end)

    def process_time(self, now: float, seconds: float = KEPT_S) -> ProcessTime | None:
        """Return the CPU time of this process within about the last `seconds`; None if nothing was noted then."""
        oldest = now - min(seconds, KEPT_S)
        noted = next(((at, cpu_s) for at, cpu_s in tuple(self._meter) if at >= oldest), None)
        return None if noted is None else ProcessTime(time.process_time() - noted[1], now - noted[0])


class _Measured:
    """Measures what runs between its begin and its end."""

    __slots__ = ("_begin", "_cpu_begin", "_frame", "_part", "_tile", "_tracer")

    def __init__(self, tracer: Tracer, part: Part, frame: str, tile: int | None) -> None:
        self._tracer, self._part, self._frame, self._tile = tracer, part, frame, tile

    def __enter__(self) -> Self:
        self._begin = time.monotonic()
        self._cpu_begin = time.thread_time()
        return self

    def __exit__(self, *_: object) -> None:
        cpu_s = time.thread_time() - self._cpu_begin
        self._tracer.record(self._part, self._frame, self._begin, time.monotonic(), self._tile, cpu_s)


tracer = Tracer()
"""The tracer of this process."""
