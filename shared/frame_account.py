"""The account of one camera's agent as others keep it, pure: it can be closed when the agent cannot do it itself.

An agent reports what it has heard; whoever decides what becomes of frames knows more, and of fewer of them.
"""

from __future__ import annotations

from collections import Counter

from shared.payloads.frames import FrameCounts, Outcome


class FrameAccount:
    """All frames of one agent from its start: what it reported, and what was decided here since.

    What was decided before this account began, or elsewhere, is known from reports alone.
    """

    def __init__(self) -> None:
        self._captured = 0
        self._decided: Counter[Outcome] = Counter()
        self._others: Counter[Outcome] = Counter()

    def add_report(self, counts: FrameCounts) -> None:
        """Take what the agent says: what exceeds our own decisions, which it hears late, was decided by others."""
        self._captured = max(self._captured, counts.captured)
        for outcome, count in (*counts.dropped.items(), (Outcome.PUBLISHED, counts.published)):
            self._others[outcome] = max(self._others[outcome], count - self._decided[outcome])

    def note_captured(self, number: int) -> None:
        """Take a frame's number, counted from 0: as many have been captured at least."""
        self._captured = max(self._captured, number + 1)

    def record_outcome(self, number: int, outcome: Outcome) -> None:
        """Enter what became of a frame; call once for each."""
        self.note_captured(number)
        self._decided[outcome] += 1

    def close(self, rest: Outcome, under_way: int = 0) -> FrameCounts:
        """Return the account without the agent: what it never told is dropped for the reason `rest`.

        `under_way` frames have no outcome yet. What is published is certain; where an agent gave a frame up that was
        published all the same, its own word does not count.
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
