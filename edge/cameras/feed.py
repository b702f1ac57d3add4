"""Counts the frames of one agent over all its connections, and keeps outcomes that it may have missed."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Protocol

from edge.status.recent_rate import RecentRate
from shared.frame_account import FrameAccount
from shared.wire.camera_headers import MAX_UNDER_WAY

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edge.cameras.admission import AgentIdentity
    from shared.payloads.frames import FrameCounts, Outcome


class FeedListener(Protocol):
    """The agent's connection, which reports the outcome of each frame."""

    def on_frame_end(self, number: int, outcome: Outcome) -> None: ...


class AgentFeed:
    """Frames of one agent, which is recognised by its token; they stay under way while it is disconnected."""

    def __init__(self, agent: AgentIdentity) -> None:
        self.agent = agent
        self.assigned = False
        """True if this edge has started the agent, for an assigned camera."""
        self.account = FrameAccount()
        self.rate = RecentRate()
        """Of published frames."""
        self.listener: FeedListener | None = None
        self._under_way: set[int] = set()
        self._ended: OrderedDict[int, Outcome] = OrderedDict()

    @property
    def under_way(self) -> int:
        return len(self._under_way)

    def begin_frame(self, number: int) -> None:
        """Count a frame that this edge has, or has inquired about at the gateway, so that it will end."""
        self.account.note_captured(number)
        self._under_way.add(number)

    def end_frame(self, number: int, outcome: Outcome) -> None:
        """Count a frame's outcome and report it to the agent, now or when it reconnects; ignore a second outcome."""
        if number not in self._under_way:
            return
        self._under_way.discard(number)
        self.account.record_outcome(number, outcome)
        self._ended[number] = outcome
        while len(self._ended) > MAX_UNDER_WAY:
            self._ended.popitem(last=False)
        if self.listener is not None:
            self.listener.on_frame_end(number, outcome)

    def missed_outcomes(self, numbers: Iterable[int]) -> tuple[dict[int, Outcome], list[int]]:
        """Return the outcomes of frames that have ended, by number, and the numbers of those that are unknown here.

        `numbers` are those of the frames whose outcome the agent has not received.
        """
        missed = list(numbers)
        ended = {number: self._ended[number] for number in missed if number in self._ended}
        return ended, [number for number in missed if number not in ended and number not in self._under_way]

    def closed_counts(self, rest: Outcome) -> FrameCounts:
        """Return the counts after the agent has gone; frames without an outcome count as dropped for `rest`."""
        return self.account.final_counts(rest, self.under_way)
