"""The policy for repeated log lines: the first ones are written at once, then summaries at growing intervals. Pure."""

from __future__ import annotations

from collections import Counter, OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

T = TypeVar("T")

_Key = tuple[str, "Hashable", str]
"""The kind of a line: its source, its content, its subject."""

FIRST_LINES = 3
"""Lines of one kind that are written at once: the second and third show that it was not a single failure."""

MIN_SUMMARY_PERIOD_S, MAX_SUMMARY_PERIOD_S = 60.0, 4 * 3600.0
"""The first summary comes after the shorter period, each later one after twice the time of the one before, up to the
longer period: some ten lines in a whole night."""

QUIET_AFTER_S = 120.0
"""After this time without a line of one kind, its next line is treated as new. No retry in the program waits longer
than half of it."""

MIN_CHANGE_PERIOD_S, MAX_CHANGES = 5.0, 6
"""A line that follows another kind of line about the same subject, such as "works again", is a change. Changes are
written at once, but not within the period after the last line of that kind, and not more than MAX_CHANGES of one kind
until it is quiet: a subject that changes for hours gets summaries."""

MAX_REPEATED_KINDS = 512
"""Kinds that are remembered; if there are more, the summary of the oldest is written, and the kind is forgotten."""

MAX_SUBJECTS = 32
"""Subjects that are distinguished for the lines of one content, more than a home has edges and cameras. All others
share one kind."""


@dataclass(frozen=True, slots=True)
class RepeatedLine(Generic[T]):
    """A line to write: the newest of `count` lines in the last `over_s` seconds."""

    line: T
    count: int = 1
    over_s: float = 0.0


@dataclass(slots=True)
class _Kind(Generic[T]):
    """The lines of one kind: the numbers `written` at once, `held_back` since, and written as `changes`."""

    newest: T
    last_at: float
    written_at: float
    written: int = 0
    held_back: int = 0
    changes: int = 0
    wait_s: float = MIN_SUMMARY_PERIOD_S

    @property
    def due_at(self) -> float:
        return min(self.written_at + self.wait_s, self.last_at + QUIET_AFTER_S)


class Repetition(Generic[T]):
    """Decides for each line whether it is written now; `now` is monotonic seconds."""

    def __init__(self) -> None:
        self._kinds: OrderedDict[_Key, _Kind[T]] = OrderedDict()
        self._subjects: Counter[Hashable] = Counter()
        self._latest: dict[tuple[str, str], Hashable] = {}

    def add_line(self, source: str, content: Hashable, subject: str, line: T, now: float) -> list[RepeatedLine[T]]:
        """Return the lines to write now: due summaries, and `line` itself unless it is held back.

        Lines with the same `source` (part of the program), `content` and `subject` are of one kind.
        """
        written = self.due(now)
        self._forget_quiet(now)
        key = (source, content, subject)
        if key not in self._kinds and self._subjects[source, content] >= MAX_SUBJECTS:
            key = (source, content, "")
        known = self._kinds.get(key)
        if known is None:
            known = self._kinds[key] = _Kind(line, now, now)
            self._subjects[source, content] += 1
        before = self._latest.get((source, key[2]), content)
        if before != content:
            ended = self._kinds.get((source, before, key[2]))
            written += self._change_summary(ended, now)
        self._latest[source, key[2]] = content
        known.newest, known.last_at = line, now
        self._kinds.move_to_end(key)
        if known.written < FIRST_LINES:
            known.written, known.written_at = known.written + 1, now
            written.append(RepeatedLine(line))
        else:
            known.held_back += 1
            if before != content:
                written += self._change_summary(known, now)
        if len(self._kinds) > MAX_REPEATED_KINDS:
            written += self._sum_up([self._forget(next(iter(self._kinds)))], now)
        return written

    def due(self, now: float) -> list[RepeatedLine[T]]:
        """Return the summaries that are due."""
        return self._sum_up([kind for kind in self._kinds.values() if kind.due_at <= now], now)

    def remaining(self, now: float) -> list[RepeatedLine[T]]:
        """Return the summaries of all lines that were held back; call at the end."""
        return self._sum_up(self._kinds.values(), now)

    def next_due(self) -> float | None:
        """Return the time of the next summary, if no other line comes; None if there is none."""
        return min((kind.due_at for kind in self._kinds.values() if kind.held_back), default=None)

    def _change_summary(self, kind: _Kind[T] | None, now: float) -> list[RepeatedLine[T]]:
        """Return the summary of a kind whose lines begin again or end, unless changes are too frequent."""
        if kind is None or not kind.held_back or kind.changes >= MAX_CHANGES:
            return []
        if now - kind.written_at < MIN_CHANGE_PERIOD_S:
            return []
        kind.changes += 1
        summary = self._sum_up([kind], now)
        kind.wait_s = MIN_SUMMARY_PERIOD_S
        return summary

    @staticmethod
    def _sum_up(kinds: Iterable[_Kind[T]], now: float) -> list[RepeatedLine[T]]:
        sums = []
        for kind in kinds:
            if kind.held_back:
                sums.append(RepeatedLine(kind.newest, kind.held_back, now - kind.written_at))
                kind.held_back, kind.written_at, kind.wait_s = 0, now, min(MAX_SUMMARY_PERIOD_S, 2 * kind.wait_s)
        return sums

    def _forget_quiet(self, now: float) -> None:
        """Forget kinds that did not come for QUIET_AFTER_S; by then `due` has returned their summaries."""
        # `_kinds` is in the order of the last line of each, so only its beginning needs a check.
        while self._kinds and now - next(iter(self._kinds.values())).last_at >= QUIET_AFTER_S:
            self._forget(next(iter(self._kinds)))

    def _forget(self, key: _Key) -> _Kind[T]:
        source, content, subject = key
        self._subjects[source, content] -= 1
        if not self._subjects[source, content]:
            del self._subjects[source, content]
        if self._latest.get((source, subject)) == content:
            del self._latest[source, subject]
        return self._kinds.pop(key)
