"""What became of frames, pure: decided once for each, and remembered for owners that did not hear it."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.payloads.frames import Outcome

MAX_REMEMBERED_OUTCOMES = 4096
"""Owners ask within half a minute: so long, a hundred frames a second are remembered."""


class FrameOutcomes:
    """The only place where a frame's outcome is decided: nothing is published and dropped."""

    def __init__(self) -> None:
        self._decided: OrderedDict[str, Outcome] = OrderedDict()

    def decide_outcome(self, frame: str, outcome: Outcome) -> bool:
        """Decide a frame's outcome; returns False, with nothing changed, when it was decided before."""
        if frame in self._decided:
            return False
        self._decided[frame] = outcome
        while len(self._decided) > MAX_REMEMBERED_OUTCOMES:
            self._decided.popitem(last=False)
        return True

    def outcome_of(self, frame: str) -> Outcome | None:
        """What was decided; None for a frame that is open, unknown, or long gone."""
        return self._decided.get(frame)
