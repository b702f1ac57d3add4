"""Telling of what repeats: the first lines at once, then how often it came, ever more rarely. Pure."""

from __future__ import annotations

from collections import Counter, OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

T = TypeVar("T")

_Key = tuple[str, "Hashable", str]
"""Source, what it says, and of whom."""

FIRST_LINES = 3
"""Of one kind these are told at once: the second and third say whether it was a hiccup."""

MIN_SUMMARY_PERIOD_S, MAX_SUMMARY_PERIOD_S = 60.0, 4 * 3600.0
"""The rest is summed up after the first, then after twice the time, up to the longest: ten lines in a whole night."""

QUIET_AFTER_S = 120.0
"""What has not come for so long, and comes again, is news: no try that is repeated waits for longer than half of it."""

MIN_CHANGE_PERIOD_S, MAX_CHANGES = 5.0, 6
"""When something else was said of the same subject meanwhile, as that it works again, a line is news: it is told so
soon after the last of its kind, and so often until the subject is quiet. What flaps for hours is summed up."""

MAX_REPEATED_KINDS = 512
"""Kinds that are remembered; of more than these the oldest is summed up, and forgotten."""

MAX_SUBJECTS = 32
"""Subjects of one kind of line that are told apart: more edges and cameras than a home has. All others share one."""


@dataclass(frozen=True, slots=True)
class RepeatedLine(Generic[T]):
    """A line to write: the newest of `count` ones that came within the last `over_s` seconds."""

    line: T
    count: int = 1
    over_s: float = 0.0


@dataclass(slots=True)
class _Kind(Generic[T]):
    newest: T
    last_at: float
    told_at: float
    told: int = 0
    untold: int = 0
    changes: int = 0
    wait_s: float = MIN_SUMMARY_PERIOD_S

    @property
    def due_at(self) -> float:
        return min(self.told_at + self.wait_s, self.last_at + QUIET_AFTER_S)


class Repetition(Generic[T]):
    """Enters lines as they come, by what they say and of whom; `now` is monotonic seconds."""

    def __init__(self) -> None:
        self._kinds: OrderedDict[_Key, _Kind[T]] = OrderedDict()
        self._subjects: Counter[Hashable] = Counter()
        self._latest: dict[tuple[str, str], Hashable] = {}

    def add_line(self, source: str, what: Hashable, subject: str, line: T, now: float) -> list[RepeatedLine[T]]:
        """Return what to write: the line itself or nothing yet, and what is due.

        The `source` is the part of the program that says `what`.
        """
        written = self.due(now)
        self._forget_quiet(now)
        key = (source, what, subject)
        if key not in self._kinds and self._subjects[source, what] >= MAX_SUBJECTS:
            key = (source, what, "")
        known = self._kinds.get(key)
        if known is None:
            known = self._kinds[key] = _Kind(line, now, now)
            self._subjects[source, what] += 1
        before = self._latest.get((source, key[2]), what)
        if before != what:
            written += self._news(self._kinds.get((source, before, key[2])), now)  # it has come to its end, perhaps
        self._latest[source, key[2]] = what
        known.newest, known.last_at = line, now
        self._kinds.move_to_end(key)
        if known.told < FIRST_LINES:
            known.told, known.told_at = known.told + 1, now
            written.append(RepeatedLine(line))
        else:
            known.untold += 1
            if before != what:
                written += self._news(known, now)
        if len(self._kinds) > MAX_REPEATED_KINDS:
            written += self._sum_up([self._forget(next(iter(self._kinds)))], now)
        return written

    def due(self, now: float) -> list[RepeatedLine[T]]:
        """Return the sums of what has repeated for long enough."""
        return self._sum_up([kind for kind in self._kinds.values() if kind.due_at <= now], now)

    def remaining(self, now: float) -> list[RepeatedLine[T]]:
        """Return the sums of all that is not told yet, as nothing will come any more."""
        return self._sum_up(self._kinds.values(), now)

    def next_due(self) -> float | None:
        """Return when `due` has something to return, if nothing else comes; None when there is nothing."""
        return min((kind.due_at for kind in self._kinds.values() if kind.untold), default=None)

    def _news(self, kind: _Kind[T] | None, now: float) -> list[RepeatedLine[T]]:
        """Return the sum of a kind that begins or ends, as far as it may be told each time."""
        if kind is None or not kind.untold or kind.changes >= MAX_CHANGES or now - kind.told_at < MIN_CHANGE_PERIOD_S:
            return []
        kind.changes += 1
        told = self._sum_up([kind], now)
        kind.wait_s = MIN_SUMMARY_PERIOD_S
        return told

    @staticmethod
    def _sum_up(kinds: Iterable[_Kind[T]], now: float) -> list[RepeatedLine[T]]:
        sums = []
        for kind in kinds:
            if kind.untold:
                sums.append(RepeatedLine(kind.newest, kind.untold, now - kind.told_at))
                kind.untold, kind.told_at, kind.wait_s = 0, now, min(MAX_SUMMARY_PERIOD_S, 2 * kind.wait_s)
        return sums

    def _forget_quiet(self, now: float) -> None:
        """The kinds are in the order in which they came last; what those have repeated is due, and told, by then."""
        while self._kinds and now - next(iter(self._kinds.values())).last_at >= QUIET_AFTER_S:
            self._forget(next(iter(self._kinds)))

    def _forget(self, key: _Key) -> _Kind[T]:
        source, what, subject = key
        self._subjects[source, what] -= 1
        if not self._subjects[source, what]:
            del self._subjects[source, what]
        if self._latest.get((source, subject)) == what:
            del self._latest[source, subject]
        return self._kinds.pop(key)
