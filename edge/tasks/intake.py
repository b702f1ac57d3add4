"""Decides when an owner invites the next frame of its cameras, pure: late, so that frames are fresh when they are used.

A frame that waits grows old. So one frame is in work, and the next is fetched when the work on it is about to end; only
while other nodes are idle do frames wait for them to take. Time is monotonic seconds, given by the caller.
"""

from __future__ import annotations

from edge.tasks.lead_time import LeadTime

MAX_INVITATION_PAUSE_S = 0.25
"""Frames are invited at least this often while cameras offer some: tasks may have been taken meanwhile."""

LONG_FRAME_S = 0.5
"""A whole frame that takes longer to compute is not fetched ahead: it would grow old for hardly any gain."""

HELPERS_PER_FRAME = 3
"""Idle nodes for which one more frame waits: each takes one in turn, and some of them are busy by then."""


class Intake:
    """Remembers how long invited frames take to come."""

    def __init__(self) -> None:
        self._lead = LeadTime()

    @property
    def lead_s(self) -> float:
        """Return the time before the end of the current work at which the next frame is invited."""
        return self._lead.seconds

    def on_frame(self, invited_for_s: float) -> None:
        """Note the time from an invitation until its frame was in the queue."""
        self._lead.add(invited_for_s)

    def wanted(self, *, waiting: int, invited: int, idle_lanes: int, busy_s: float, helpers: int) -> int:
        """Return how many frames to invite now.

        `waiting`: frames of which no task is taken; `invited`: frames on their way here; `idle_lanes`: tiles that this
        node could begin now; `busy_s`: until its current work should end; `helpers`: other nodes that are idle.
        """
        for_helpers = 0 if not helpers else 1 + (helpers - 1) // HELPERS_PER_FRAME
        for_itself = idle_lanes or int(busy_s <= self.lead_s)
        return max(0, max(for_helpers, for_itself) - waiting - invited)

    def next_due_s(self, busy_s: float) -> float:
        """Return the seconds until a frame may be wanted, if nothing else happens; `busy_s` as in `wanted`."""
        return min(MAX_INVITATION_PAUSE_S, max(0.0, busy_s - self.lead_s))
