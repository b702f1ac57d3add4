"""The account of one camera agent's frames, kept by another process in case that the agent is lost. Pure.

An agent reports the outcomes that it has received. The process that decides outcomes knows them earlier, but only
those that it has decided itself.
"""

from __future__ import annotations

from collections import Counter

from shared.payloads.frames import FrameCounts, Outcome


class FrameAccount:
    """The frames of one agent since its start: those that it reported, and those whose outcome was decided here.

    Frames that were decided earlier, or by another process, are known only from the agent's reports.
    """

    def __init__(self) -> None:
        self._captured = 0
        self._decided: Counter[Outcome] = Counter()
        self._others: Counter[Outcome] = Counter()

    def add_report(self, counts: FrameCounts) -> None:
        """Add a report of the agent.

        The agent receives our decisions late. So counts that exceed our own decisions include decisions of others.
        """
        self._captured = max(self._captured, counts.captured)
        for outcome, count in (*counts.dropped.items(), (Outcome.PUBLISHED, counts.published)):
            self._others[outcome] = max(self._others[outcome], count - self._decided[outcome])

    def note_captured(self, number: int) -> None:
        """Note the number of a frame, counted from 0: at least as many frames have been captured."""
        self._captured = max(self._captured, number + 1)

    def record_outcome(self, number: int, outcome: Outcome) -> None:
        """Record the outcome of a frame; call once for each."""
        self.note_captured(number)
        self._decided[outcome] += 1

    def final_counts(self, rest: Outcome, under_way: int = 0) -> FrameCounts:
        """Return the final counts of a lost agent: frames without a known outcome are dropped with the outcome `rest`.

        `under_way` frames have no outcome yet. Published frames are certain: when the agent reports one of them as
        dropped, the report is ignored.
        """
        known = self._decided + self._others
        published = known.pop(Outcome.PUBLISHED, 0)
        captured = max(self._captured, published + under_way)
        left = captured - published - under_way
        dropped: dict[Outcome, int] = {}
        for outcome, count in known.items():
            dropped[outcome] = min(count, left)
            left -= dropped[outcome]
        dropped[rest] = dropped.get(rest, 0) + left
        return FrameCounts(
            captured=captured,
            published=published,
            dropped={outcome: count for outcome, count in dropped.items() if count},
        )
