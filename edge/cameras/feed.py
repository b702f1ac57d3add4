"""What one agent has fed to this edge over all its connections: its account, and frames whose end it must hear of."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Protocol

from edge.status.recent_rate import RecentRate
from shared.frame_account import FrameAccount
from shared.wire.headers import MAX_UNDER_WAY

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edge.cameras.admission import Agent
    from shared.payloads.frames import FrameCounts, Outcome


class Listener(Protocol):
    """A connection of the agent."""

    def finished(self, number: int, outcome: Outcome) -> None: ...


class Feed:
    """One agent, known by its token; without a connection its frames go on."""

    def __init__(self, agent: Agent) -> None:
        self.agent = agent
        self.assigned = False
        """The edge has started the agent itself, for a camera that the gateway has assigned to it."""
        self.account = FrameAccount()
        self.rate = RecentRate()
        """Of frames that were published."""
        self.listener: Listener | None = None
        self._under_way: set[int] = set()
        self._ended: OrderedDict[int, Outcome] = OrderedDict()

    @property
    def under_way(self) -> int:
        return len(self._under_way)

    def begin(self, number: int) -> None:
        """Enter a frame that is here, or is asked for at the gateway, and will end."""
        self.account.note_captured(number)
        self._under_way.add(number)

    def end(self, number: int, outcome: Outcome) -> None:
        """Enter a frame's end, and tell the agent, now or when it comes again. A second end changes nothing."""
        if number not in self._under_way:
            return
        self._under_way.discard(number)
        self.account.record_outcome(number, outcome)
        self._ended[number] = outcome
        while len(self._ended) > MAX_UNDER_WAY:
            self._ended.popitem(last=False)
        if self.listener is not None:
            self.listener.finished(number, outcome)

    def missed(self, numbers: Iterable[int]) -> tuple[dict[int, Outcome], list[int]]:
        """Return, of frames whose end the agent has not heard, the outcomes of the ended, and those never seen."""
        asked = list(numbers)
        ended = {number: self._ended[number] for number in asked if number in self._ended}
        return ended, [number for number in asked if number not in ended and number not in self._under_way]

    def counts(self, rest: Outcome) -> FrameCounts:
        """Return the account while the agent is away: what it never told is dropped for the reason `rest`."""
        return self.account.final_counts(rest, self.under_way)
