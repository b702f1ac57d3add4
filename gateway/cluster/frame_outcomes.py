"""The outcomes of frames, pure: decided once for each, and kept for owners that missed the message."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.payloads.frames import Outcome

MAX_REMEMBERED_OUTCOMES = 4096
"""Owners request outcomes within half a minute: this covers that time at a hundred frames a second."""


class FrameOutcomes:
    """The only place where outcomes are decided, so that no frame is both published and dropped."""

    def __init__(self) -> None:
        self._decided: OrderedDict[str, Outcome] = OrderedDict()

    def decide_outcome(self, frame: str, outcome: Outcome) -> bool:
        """Decide a frame's outcome; return False, and change nothing, when it is already decided."""
        if frame in self._decided:
            return False
        self._decided[frame] = outcome
        while len(self._decided) > MAX_REMEMBERED_OUTCOMES:
            self._decided.popitem(last=False)
        return True

    def outcome_of(self, frame: str) -> Outcome | None:
        """Return the outcome; None for a frame that is open, unknown, or no longer remembered."""
        return self._decided.get(frame)
