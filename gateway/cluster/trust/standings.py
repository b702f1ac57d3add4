"""The standings of nodes, pure: failures and wrong tiles in, barred nodes out.

A node whose tiles are wrong, or that cannot compute them, is barred: it gets no work. It prepares its programs again,
tests itself and reports that it has passed; then it works on probation, and its results are verified more often.
Time is monotonic seconds, given by the caller.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_FAILURES = 3
"""A node is barred after this many failed tiles in a row. A single failure may be caused by the picture, not the
node."""

FIRST_BAR_S, MAX_BAR_S = 10.0, 3600.0
"""Minimum duration of the first bar, which doubles for each further bar up to the maximum, because a fault that returns
is one of the device."""

PROBATION_S = 60.0
"""Duration of the probation after a bar: results are verified more often, and one failure bars the node again."""

FORGIVE_AFTER_S = 24 * 3600.0
"""The record of a node that had no failure for this long is deleted."""

MAX_STANDINGS = 1000
"""Nodes whose records are kept: more than a cluster has."""


@dataclass(slots=True)
class _Record:
    """The failures and bars of a node.

    `failures`: failed tiles in a row; `failed_tiles`: all failed tiles; `until`: the end of the current bar, or of the
    last one; `passed`: the node has passed the test of its current bar; `seen_at`: the time of the last change.
    """

    failures: int = 0
    bars: int = 0
    barred: bool = False
    until: float = 0.0
    passed: bool = False
    reason: str = ""
    last_failure: str = ""
    failed_tiles: int = 0
    seen_at: float = 0.0


class Standings:
    """Records of failures and bars, by node; they start empty with the gateway."""

    def __init__(self) -> None:
        self._records: OrderedDict[str, _Record] = OrderedDict()

    def on_failure(self, node: str, reason: str, now: float) -> bool:
        """Note that a node failed to compute a tile; return whether that bars it."""
        record = self._record(node)
        record.failures += 1
        record.failed_tiles += 1
        record.last_failure, record.seen_at = reason, now
        if record.failures >= MAX_FAILURES or self.on_probation(node, now):
            return self._bar(record, f"did not compute {record.failures} tiles: {reason}", now)
        return False

    def on_success(self, node: str) -> None:
        """Note that a node computed a tile."""
        record = self._records.get(node)
        if record is not None:
            record.failures, record.last_failure = 0, ""

    def on_wrong_tile(self, node: str, reason: str, now: float) -> bool:
        """Note that a node computed a wrong tile; return whether that bars it."""
        return self._bar(self._record(node), reason, now)

    def on_test_passed(self, node: str, trial: int) -> None:
        """Note that a node has passed its test; an outdated `trial` number is ignored."""
        record = self._records.get(node)
        if record is not None and record.barred and trial == record.bars:
            record.passed = True

    def lift_bars(self, now: float) -> tuple[str, ...]:
        """Lift the bars of nodes that have passed their test and whose time is over; return these nodes."""
        due = tuple(
            node for node, record in self._records.items() if record.barred and record.passed and record.until <= now
        )
        for node in due:
            record = self._records[node]
            record.barred, record.failures, record.last_failure = False, 0, ""
            record.until = record.seen_at = now
        for node in [
            name
            for name, record in self._records.items()
            if not record.barred and record.seen_at + FORGIVE_AFTER_S < now
        ]:
            del self._records[node]
        return due

    def is_barred(self, node: str) -> bool:
        """Return whether a node is barred."""
        record = self._records.get(node)
        return record is not None and record.barred

    def failed_tiles(self, node: str) -> int:
        """Return the number of tiles that a node failed to compute."""
        record = self._records.get(node)
        return record.failed_tiles if record is not None else 0

    @property
    def all_barred(self) -> frozenset[str]:
        """Return the nodes that may not compute."""
        return frozenset(node for node, record in self._records.items() if record.barred)

    def on_probation(self, node: str, now: float) -> bool:
        """Return whether a node's bar was lifted recently."""
        record = self._records.get(node)
        return record is not None and record.bars > 0 and not record.barred and now < record.until + PROBATION_S

    def trial(self, node: str) -> int:
        """Return the number of the test that a node must pass, or has passed last; 0 if it was never barred."""
        record = self._records.get(node)
        return record.bars if record is not None else 0

    def reason(self, node: str) -> str:
        """Return why a node is barred; empty when it is not."""
        record = self._records.get(node)
        return record.reason if record is not None and record.barred else ""

    def problems(self, present: Iterable[str]) -> tuple[str, ...]:
        """Return the problems of the present nodes, a line for each."""
        lines = []
        for node in sorted(present):
            record = self._records.get(node, _Record())
            if record.barred:
                lines.append(f"edge {node} {record.reason}; it gets no work until it has passed a test")
            elif record.last_failure:
                lines.append(f"edge {node} did not compute a tile: {record.last_failure}; other edges compute it")
        return tuple(lines)

    def _record(self, node: str) -> _Record:
        record = self._records.setdefault(node, _Record())
        while len(self._records) > MAX_STANDINGS:
            self._records.popitem(last=False)
        return record

    @staticmethod
    def _bar(record: _Record, reason: str, now: float) -> bool:
        if record.barred:
            return False
        record.until = now + min(MAX_BAR_S, FIRST_BAR_S * 2.0**record.bars)
        record.bars = min(record.bars + 1, 2**31)
        record.barred, record.passed, record.reason, record.seen_at = True, False, reason, now
        return True
