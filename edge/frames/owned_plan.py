"""The tasks of one plan at their owner, and its experience with them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from edge.tasks.holding import Holding
from edge.tasks.intake import LONG_FRAME_S
from edge.tasks.prediction import Experience, reuse_pays
from edge.tasks.task_queue import TaskQueue
from shared.wire.link_speed import USUAL_LINK_BYTES_PER_S, predict_transfer_s

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from edge.computing.plan_work import PlanWork

MIN_BENEFIT = 0.95
"""Another node must be predicted to end a frame in less than this part of the time that it would take here."""


class OwnedPlan:
    """A plan with the queue of its tasks.

    `alone`: no other node is known, see TaskQueue; `lanes_of_other` returns how many tasks another node computes at the
    same time.
    """

    def __init__(
        self, node: str, work: PlanWork, *, alone: bool, lanes_of_other: Callable[[str], int] = lambda _: 1
    ) -> None:
        self.work = work
        self._lanes_of_other = lanes_of_other
        self.experience = Experience(node)
        self.holding = Holding()
        self.announced_overdue = 0
        self.announced_at = -math.inf
        self.untaken_since = -math.inf
        """The time at which tasks were announced of which no thief has taken one yet."""
        self.queue = TaskQueue(
            node,
            work.tile_order,
            work.plan.lease_s,
            longest_s=work.plan.deadline_s / 2,
            alone=alone,
            lanes_of=self._lanes_of,
        )

    def _lanes_of(self, node: str) -> int:
        """Return how many tasks a node computes at the same time."""
        return self.work.lanes.count if node == self.queue.node else self._lanes_of_other(node)

    def reuses(self, nodes: int) -> bool:
        """Return whether the next frame is computed with reuse, among this many nodes: whether its strips pay."""
        work = self.work
        conditions = self.experience.conditions(nodes, self.queue.pace.of_all, work.result_bytes)
        return work.reuses and (conditions is None or reuse_pays(work.tile_order, conditions))

    def limit_s(self, now: float, promised: int = 0) -> float | None:
        """Return the time within which another node must fetch and compute the last waiting frame to end it sooner.

        `promised`: frames that are not here yet, behind those that wait. None for tiles, which all nodes share, and
        while it is not known when this node will be free.
        """
        own_s = self._own_s
        if not self.work.finds_objects or own_s is None:
            return None
        ends_s = self.queue.ends_s(now, self.queue.untouched_frames + promised, own_s)
        return MIN_BENEFIT * ends_s if math.isfinite(ends_s) else None

    @property
    def may_lend(self) -> bool:
        """Return whether a task may be lent now: whole frames one by one until the first shows what the link carries.

        Over a thin link, several at once would keep each other for many seconds.
        """
        return not self.work.finds_objects or self.experience.link_bytes_per_s is not None or not self.queue.has_lent

    @property
    def _own_s(self) -> float | None:
        """Return what this node needs for a whole frame; before the first one as tried, None if it is not known."""
        macs, pace = self.work.tile_order.whole[0].macs, self.queue.pace.of_own(self.queue.node)
        if pace is not None:
            return macs * pace
        return macs / self.work.macs_per_s if self.work.macs_per_s else None

    @property
    def has_long_frames(self) -> bool:
        """Return whether whole frames take so long here that none should wait for a thief."""
        return (self._own_s or 0.0) > LONG_FRAME_S

    @property
    def fetch_s(self) -> float:
        """Return the time that a frame takes to another node."""
        pixel_bytes = self.work.tile_order.whole[0].pixel_bytes
        return predict_transfer_s(pixel_bytes, self.experience.link_bytes_per_s or USUAL_LINK_BYTES_PER_S)

    def hold_s(self, helpers: Mapping[str, float]) -> float:
        """Return how long a new frame is left to idle helpers, by name with the seconds that each needs for it.

        Only whole frames are: tiles are shared with helpers anyway.
        """
        if not self.work.finds_objects:
            return 0.0
        return self.holding.hold_s(self._own_s, [seconds + self.fetch_s for seconds in helpers.values() if seconds])
