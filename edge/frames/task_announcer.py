"""Announces an owner's tasks: the gateway grants them to nodes that are idle and fast enough."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from edge.tasks.task import NO_TASKS
from shared.mqtt import topics
from shared.payloads.cluster import TaskAnnouncement

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edge.frames.other_nodes import OtherNodes
    from edge.frames.owned_plan import OwnedPlan
    from edge.tasks.task import Task
    from shared.mqtt.bus import Bus
    from shared.payloads.frames import FrameInfo, Outcome

log = logging.getLogger(__name__)

PROMISE_REPEAT_S = 1.0
"""A frame that nobody takes is announced again after this time: the message, or its grant, may be lost."""

REANNOUNCE_S = 0.5
"""Tasks that are not computed here are announced again after this time: a message may be lost, and the gateway forgets
those that it heard of just before a node reports that it found none here."""


class TaskAnnouncer:
    """Publishes how many tasks wait, and for whom.

    `computes_here` returns whether this node computes tasks itself, `promises` how many frames of a plan can be had on
    demand; `on_announced` is called after each announcement.
    """

    def __init__(
        self,
        node: str,
        bus: Bus,
        others: OtherNodes,
        computes_here: Callable[[], bool],
        promises: Callable[[OwnedPlan], int],
        on_announced: Callable[[], None],
    ) -> None:
        self._node = node
        self._bus = bus
        self._others = others
        self._computes_here = computes_here
        self._promises = promises
        self._on_announced = on_announced

    def announce(
        self, plan: OwnedPlan | None, opened: FrameInfo | None = None, given_up: dict[str, Outcome] | None = None
    ) -> None:
        """Announce the tasks of a plan, a new frame, and frames that are given up."""
        available = NO_TASKS if plan is None else plan.queue.available_tasks(time.monotonic())
        promised = 0 if plan is None else self._promises(plan)
        slow_may = plan is None or self._needs_others(plan)  # a slow node is better than none
        message = TaskAnnouncement(
            node=self._node, epoch=0 if plan is None else plan.work.epoch, waiting=available.waiting + promised,
            overdue=available.overdue, near=dict(available.near), opened=opened, given_up=given_up or {},
            unfit=dict(available.unfit) if slow_may else available.unfit_or_slow(),
            within_s=None if plan is None else self._limit_s(plan),
        )  # fmt: skip
        if plan is not None:
            plan.announced_overdue, plan.announced_at = available.overdue, time.monotonic()
            if message.waiting:
                plan.untaken_since = plan.announced_at
        self._bus.publish_soon(topics.TASKS, message, self._node)
        self._on_announced()

    def announce_requeued(self, plan: OwnedPlan, tasks: Sequence[Task], reason: str) -> None:
        """Announce a plan's tasks after some of them were queued again; nothing without such `tasks`."""
        for task in tasks:
            log.debug("%s tile %s will run again: %s", task.frame, task.tile, reason)
        if tasks:
            self.announce(plan)

    def announce_due(self, plan: OwnedPlan, now: float) -> None:
        """Announce a plan's tasks if time alone makes that necessary: called periodically."""
        # Tasks become overdue without an event that would announce them.
        overdue = plan.queue.available_tasks(now).overdue
        unheard = self._needs_others(plan) and now >= plan.announced_at + REANNOUNCE_S
        if overdue > plan.announced_overdue or unheard:
            self.announce(plan)
        plan.announced_overdue = overdue

    def announce_promise(self, plan: OwnedPlan) -> bool:
        """Announce that a whole frame can be had, unless one is announced that nobody has taken yet.

        Return whether it was announced now.
        """
        due = time.monotonic() - plan.untaken_since >= PROMISE_REPEAT_S
        announced = due and self.may_be_helped(plan) and (bool(self._promises(plan)) or not plan.queue.empty)
        if announced:
            self.announce(plan)
        return announced

    def may_be_helped(self, plan: OwnedPlan) -> bool:
        """Return whether an idle node would end the last waiting frame sooner than this one."""
        helpers = self._others.helpers
        if not helpers:  # the usual case, without a prediction for each frame
            return False
        limit_s = self._limit_s(plan)
        return any(limit_s is None or seconds + plan.fetch_s < limit_s for seconds in helpers.values())

    def _limit_s(self, plan: OwnedPlan) -> float | None:
        """Return the time within which another node must compute a frame, see OwnedPlan.limit_s; None for any."""
        return None if self._needs_others(plan) else plan.limit_s(time.monotonic(), self._promises(plan))

    def _needs_others(self, plan: OwnedPlan) -> bool:
        """Return whether tasks wait that this node does not compute, as it is barred or has failed."""
        return not plan.queue.empty and (not self._computes_here() or plan.queue.failed_here)
