"""Reuse-aware scheduling, pure: finds the tasks that a node can compute from strips, and those worth waiting for.

A tile that depends on strips of its givers is blocked until they are available (paper, section III-C). Strips are
available to all nodes once the gateway keeps them, and earlier to the node that computes the giver itself.
Time is monotonic seconds, given by the caller.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING

from edge.tasks.task import Task

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edge.tasks.leases import Leases
    from edge.tasks.pace import NodePace
    from edge.tasks.tile_order import TileOrder


class ReuseMode(Enum):
    """The form in which a node can compute a task now."""

    WHOLE = auto()
    FROM_STRIPS = auto()
    BLOCKED = auto()


@dataclass(slots=True)
class _FrameStrips:
    """`makers`: by tile, its node; `kept`: (giver, reader) at the gateway; `whole`: tiles that need no strips."""

    makers: dict[int, str] = field(default_factory=dict)
    kept: set[tuple[int, int]] = field(default_factory=set)
    whole: set[int] = field(default_factory=set)


class ReuseSchedule:
    """The strips of frames that are computed with reuse; tasks of other frames always run with their whole halo."""

    def __init__(self, order: TileOrder, leases: Leases, pace: NodePace) -> None:
        self._order = order
        self._leases = leases
        self._pace = pace
        self._frames: dict[str, _FrameStrips] = {}

    def add_frame(self, frame: str) -> None:
        """Compute a frame with reuse."""
        self._frames[frame] = _FrameStrips()

    def __contains__(self, frame: str) -> bool:
        return frame in self._frames

    def drop_frame(self, frame: str) -> None:
        """Forget a frame."""
        self._frames.pop(frame, None)

    def run_whole(self, task: Task) -> None:
        """Compute a task with its whole halo, even if its strips become available."""
        if task.frame in self._frames:
            self._frames[task.frame].whole.add(task.tile)

    def on_result(self, task: Task, worker: str, readers: Iterable[int]) -> None:
        """Note that `worker` computed a task, and that the gateway keeps its strips for these readers."""
        strips = self._frames.get(task.frame)
        if strips is not None:
            strips.makers[task.tile] = worker
            strips.kept.update((task.tile, reader) for reader in readers)

    def mode(self, task: Task, node: str, *, reuses: bool) -> ReuseMode:
        """Return the form in which a node can compute a task now; `reuses`: its engine can compute from strips."""
        strips, givers = self._frames.get(task.frame), self._order.givers.get(task.tile)
        if strips is None or not givers or task.tile in strips.whole:
            return ReuseMode.WHOLE
        available = all(self._gets_strips(strips, Task(task.frame, giver), task.tile, node) for giver in givers)
        return ReuseMode.FROM_STRIPS if available and reuses else ReuseMode.BLOCKED

    def readers(self, task: Task) -> tuple[int, ...]:
        """Return the tiles for which the gateway should keep a task's strips."""
        strips = self._frames.get(task.frame)
        if strips is None:
            return ()
        return tuple(reader for reader in self._order.readers(task.tile) if reader not in strips.whole)

    def makers_of_givers(self, task: Task) -> set[str]:
        """Return the nodes that have computed the givers of a blocked task, or are computing them."""
        givers, makers = self._order.givers[task.tile], self._frames[task.frame].makers
        holders = {self._leases.holder(Task(task.frame, giver)) for giver in givers}
        return {node for node in holders if node is not None} | {makers[giver] for giver in givers if giver in makers}

    def own_givers(self, task: Task, node: str) -> int:
        """Return the number of givers of a task whose strips the node has, or will have, without a transfer."""
        makers, holders = self._frames[task.frame].makers, self._leases.holders(task.frame)
        return sum(1 for giver in self._order.givers[task.tile] if node in {makers.get(giver), holders.get(giver)})

    def worth_waiting(self, blocked: Iterable[Task], now: float, node: str = "") -> bool:
        """Return whether one of these blocked tasks ends sooner if it waits for its strips than if it runs whole."""
        # Before the first result there is no pace, and waiting is assumed to be worth it.
        pace = self._pace.of_node(node)
        return pace is None or any(self._ready_in_s(task, now) < self._saved_macs(task) * pace for task in blocked)

    def _gets_strips(self, strips: _FrameStrips, giver: Task, reader: int, node: str) -> bool:
        """Return whether the node gets the giver's strips: the gateway keeps them, or the node computes the giver."""
        # A lease is enough: a node computes its tasks in the order of their leases, so the giver is ready before the
        # reader, even though it is not computed yet.
        computed_here = strips.makers.get(giver.tile) == node or self._leases.holder(giver) == node
        return computed_here or (giver.tile, reader) in strips.kept

    def _saved_macs(self, task: Task) -> int:
        return self._order.whole[task.tile].macs - self._order.reusing[task.tile].macs

    def _ready_in_s(self, task: Task, now: float) -> float:
        """Return the seconds until all strips for a blocked task should be available."""
        makers = self._frames[task.frame].makers
        missing = (Task(task.frame, giver) for giver in self._order.givers[task.tile] if giver not in makers)
        return max((self._leases.due_in_s(giver, now) for giver in missing), default=math.inf)
