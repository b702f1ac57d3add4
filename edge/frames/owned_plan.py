"""The tasks of one plan at their owner, and its experience with them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from edge.tasks.holding import Holding
from edge.tasks.prediction import Experience, reuse_pays
from edge.tasks.task_queue import TaskQueue

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge.computing.plan_work import PlanWork

USUAL_LINK_BYTES_PER_S = 12.5e6
"""Assumed throughput of a link, 100 Mbit/s, before the first transfer is measured."""

MIN_BENEFIT = 0.95
"""Another node must be predicted to end a frame in less than this part of the time that it would take here."""


class OwnedPlan:
    """A plan with the queue of its tasks. `alone`: no other node is known, see TaskQueue."""

    def __init__(self, node: str, work: PlanWork, *, alone: bool) -> None:
        self.work = work
        self.experience = Experience(node)
        self.holding = Holding()
        self.announced_overdue = 0
        self.announced_at = -math.inf
        self.queue = TaskQueue(
            node, work.tile_order, work.plan.lease_s, longest_s=work.plan.deadline_s / 2, alone=alone
        )

    def reuses(self, nodes: int) -> bool:
        """Return whether the next frame is computed with reuse, among this many nodes: whether its strips pay."""
        work = self.work
        conditions = self.experience.conditions(nodes, self.queue.pace.of_all, work.result_bytes)
        return work.reuses and (conditions is None or reuse_pays(work.tile_order, conditions))

    def limit_s(self, now: float) -> float | None:
        """Return the time within which another node must compute the last waiting frame to end it sooner than this one.

        None for tiles, which all nodes share, and before this node's speed is known.
        """
        pace = self.queue.pace.of_own(self.queue.node)
        if not self.work.finds_objects or pace is None:
            return None
        own_s = self.work.tile_order.whole[0].macs * pace
        ends_s = self.queue.busy_s(now) + self.queue.untouched_frames * own_s
        return max(0.0, MIN_BENEFIT * (ends_s - self._fetch_s))

    @property
    def _fetch_s(self) -> float:
        """Return the time that a frame takes to another node."""
        pixel_bytes = self.work.tile_order.whole[0].pixel_bytes
        return pixel_bytes / (self.experience.link_bytes_per_s or USUAL_LINK_BYTES_PER_S)

    def hold_s(self, helpers: Mapping[str, float]) -> float:
        """Return how long a new frame is left to idle helpers, by name with the seconds that each needs for it.

        Only whole frames are: tiles are shared with helpers anyway.
        """
        if not self.work.finds_objects:
            return 0.0
        pace = self.queue.pace.of_own(self.queue.node)
        own_s = None if pace is None else self.work.tile_order.whole[0].macs * pace
        return self.holding.hold_s(own_s, [seconds + self._fetch_s for seconds in helpers.values() if seconds])
