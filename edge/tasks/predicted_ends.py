"""Predicts which node ends tasks sooner, pure: from the leases, and from the pace of nodes.

What remains of a frame should run where it ends first: a slow node gets no task that others will have done before it,
and a task that is late is computed by an idle node a second time. Whole frames have limits of their own, see OwnedPlan,
and are not computed twice: it is as good to compute the next one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from edge.tasks.leases import Leases
    from edge.tasks.pace import NodePace
    from edge.tasks.task import Task
    from edge.tasks.tile_order import TileOrder

COPY_FACTOR, COPY_S = 1.25, 0.05
"""A late task is computed a second time by a node that needs less than the first one will, by this factor and these
seconds: less is within the error of predictions, and a tile takes some time to fetch."""

COPY_LATE_FACTOR = 2.0
"""Nobody knows when a task ends that has taken this many times as long as predicted: it is computed a second time."""

SLOW_FACTOR = 1.1
"""A node is too slow for a task if it takes longer for it than the others for all that wait, by this factor: less is
within the error of predictions."""

SLOW_S = 10.0
"""A slow node gets a task again this long after its last result: it may have become faster."""

MAX_RESULT_NODES = 64
"""Nodes whose last result is remembered: more than a frame has tiles."""


class PredictedEnds:
    """The ends of tasks on different nodes."""

    def __init__(self, order: TileOrder, leases: Leases, pace: NodePace) -> None:
        self._order = order
        self._leases = leases
        self._pace = pace
        self._results_at: dict[str, float] = {}

    @property
    def _whole_frames(self) -> bool:
        return len(self._order.order) == 1

    def on_result(self, node: str, now: float) -> None:
        """Note that a node has computed a task."""
        self._results_at.pop(node, None)  # the dictionary is in the order of last results
        self._results_at[node] = now
        if len(self._results_at) > MAX_RESULT_NODES:
            del self._results_at[next(iter(self._results_at))]

    def forget_node(self, node: str) -> None:
        """Forget a lost node."""
        self._results_at.pop(node, None)

    def late_tasks(self, node: str, now: float, unfit: Mapping[Task, Collection[str]]) -> dict[Task, float]:
        """Return the leased tasks of others that this node would end sooner, with the seconds until they are due.

        Tasks that it is `unfit` for, and those that are computed twice already, are left out.
        """
        pace = self._pace.of_node(node)
        if pace is None or self._whole_frames:
            return {}
        due_s = {
            task: self._leases.due_in_s(task, now, COPY_LATE_FACTOR)
            for task, holder in self._leases.held_once().items()
            if holder != node and node not in unfit.get(task, ())
        }
        return {task: due for task, due in due_s.items() if due > COPY_FACTOR * pace * self._macs(task) + COPY_S}

    def slow_nodes(self, waiting: Iterable[Task], others: Collection[str], now: float, owner: str) -> Iterator[str]:
        """Yield the nodes that would end a waiting task after the `others` have ended all of them; never the owner."""
        costs = [self._macs(task) for task in waiting]
        if not costs or self._whole_frames or self._pace.of_all is None:
            return
        for node, at in self._results_at.items():
            pace = self._pace.of_own(node)
            if node == owner or pace is None or at < now - SLOW_S:
                continue
            end_s = max(0.0, self._leases.free_at(node) - now) + pace * max(costs)
            if end_s > SLOW_FACTOR * self._all_end_s(costs, {*others} - {node}, now):
                yield node

    def _all_end_s(self, costs: Iterable[int], nodes: Iterable[str], now: float) -> float:
        """Return the seconds until these nodes have ended tasks of these costs, each where it ends soonest."""
        lanes = [
            [max(0.0, free - now), self._pace.of_node(node) or 0.0]
            for node in sorted(nodes) for free in self._leases.lanes_free_at(node)
        ]  # fmt: skip
        for macs in costs:
            soonest = min(lanes, key=lambda lane: lane[0] + macs * lane[1])
            soonest[0] += macs * soonest[1]
        return max(free for free, _ in lanes)

    def _macs(self, task: Task) -> int:
        return self._order.whole[task.tile].macs
