"""An edge's tasks, pure: which wait, which run here, which are leased out, which must run again.

A task is one tile of one frame. Its own worker takes from the front, thieves from the back (paper, section III-B). In
a frame with reuse, a task whose neighbours' strips are there is computed from them; until then it is blocked, and goes
to nobody but an idle worker who is done sooner with its whole halo than with waiting (paper, section III-C).
Time is monotonic seconds, given by the caller.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge.tasks.pace import Pace

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from edge.tasks.tile_order import Agenda

LEASE_FACTOR = 4.0
"""A lease lasts this many times the longest recent tile, for the tile may wait at the thief behind another."""

HELPERS_CAP = 64
"""Nodes whose last visit is known: more than a frame has tiles."""

SOONER_FACTOR = 0.25
"""A node is free sooner than another when that is by this part of a tile's time; less is within what can be told."""

LATE_FACTOR = 3.0
"""A tile that takes so many times as long as it should may never come: nobody waits for its strips any more."""


@dataclass(frozen=True, slots=True)
class Task:
    """Tile `tile` of frame `frame`."""

    frame: str
    tile: int


@dataclass(frozen=True, slots=True)
class Turn:
    """A task to run: from strips (`reusing`) or with its whole halo; its own strips are `wanted` for those tiles."""

    task: Task
    reusing: bool = False
    wanted: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Taker:
    """Who takes a task: its node, whether it has nothing else to do, whether its engine can compute from strips."""

    node: str
    idle: bool = True
    reuses: bool = False


ANYONE = Taker("", reuses=True)
"""A taker that has computed nothing yet."""


@dataclass(frozen=True, slots=True)
class Openings:
    """Tasks that anyone may take, and those that wait for strips but not for all nodes.

    `overdue` are for who is idle, with their whole halo; those in `near`, by node, for who computes all their strips.
    So many of the waiting ones are not for the nodes in `unfit`, which failed to compute them.
    """

    waiting: int = 0
    overdue: int = 0
    near: Mapping[str, int] = field(default_factory=dict)
    unfit: Mapping[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class _Lease:
    """Who computes a task, since when, as far as is known, until when it may, and what it costs to compute."""

    holder: str
    since: float
    until: float
    macs: int


@dataclass(slots=True)
class _Reuse:
    """The strips of one frame: who computed which tile, what the gateway keeps, which readers do without."""

    makers: dict[int, str] = field(default_factory=dict)
    kept: set[tuple[int, int]] = field(default_factory=set)
    whole: set[int] = field(default_factory=set)


@dataclass(slots=True)
class TaskQueue:
    """Tasks of the frames that this edge owns.

    `lease_s` is the shortest lease. One that grows with the tiles' times ends by `longest_s`, so that a frame still has
    time left: a node that was frozen reports hours for a tile. `alone`: other nodes hardly take tasks, so that this
    one need not send them strips of its own tiles.
    """

    node: str
    agenda: Agenda
    lease_s: float
    longest_s: float = math.inf
    alone: bool = False
    pace: Pace = field(default_factory=Pace)
    _waiting: deque[Task] = field(default_factory=deque)
    _leases: dict[Task, _Lease] = field(default_factory=dict)
    _reuse: dict[str, _Reuse] = field(default_factory=dict)
    _helpers: dict[str, float] = field(default_factory=dict)
    _unfit: dict[Task, set[str]] = field(default_factory=dict)

    @property
    def empty(self) -> bool:
        """Whether no task waits, for anyone or for strips."""
        return not self._waiting

    def openings(self, now: float) -> Openings:
        """What may be taken now, and by whom."""
        waiting, blocked, near, unfit = 0, [], Counter[str](), Counter[str]()
        for task in self._waiting:
            if self._turn(task, ANYONE) is not None:
                waiting += 1
                unfit.update(self._unfit.get(task, ()))
            else:
                blocked.append(task)
                near.update(node for node in self._makers_of_givers(task) if self._turn(task, Taker(node, reuses=True)))
        overdue = 0 if waiting or self._worth_waiting(blocked, now) else len(blocked)
        return Openings(waiting, overdue, dict(sorted(near.items())), dict(sorted(unfit.items())))

    @property
    def current_lease_s(self) -> float:
        """How long a task may stay away: longer where tiles are seen to take longer."""
        return max(self.lease_s, min(self.longest_s, LEASE_FACTOR * self.pace.longest_s))

    def add_frame(self, frame: str, *, reuse: bool = False) -> None:
        """A frame's tasks wait in the agenda's order, behind those of earlier frames."""
        if reuse:
            self._reuse[frame] = _Reuse()
        self._waiting.extend(Task(frame, tile) for tile in self.agenda.order)

    def take(self, now: float, *, reuses: bool = False) -> Turn | None:
        """The next task for the edge's own worker, which is idle; it stays ours until `sent` or `put_back`."""
        return self._lease(self._next(self._waiting, Taker(self.node, reuses=reuses), now), self.node, now, math.inf)

    def upcoming(self) -> Task | None:
        """The task that the edge's own worker would take next, if it is one that it computes from strips."""
        turn = self._best(self._waiting, Taker(self.node, reuses=True))
        return turn.task if turn is not None and turn.reusing else None

    def lend(self, taker: Taker, now: float) -> Turn | None:
        """The last task that the thief may have, leased to it.

        One that takes ahead gets none while others will be free sooner for all that wait: the last tasks of a frame go
        to whoever is there first.
        """
        if not taker.idle and not self._soon(taker, now):
            return None
        turn = self._next(reversed(self._waiting), taker, now)
        self._helpers.pop(taker.node, None)
        self._helpers[taker.node] = now
        if len(self._helpers) > HELPERS_CAP:
            del self._helpers[next(iter(self._helpers))]
        return self._lease(turn, taker.node, now, now + self.current_lease_s)

    def without_strips(self, task: Task) -> Turn | None:
        """The strips for this task, which is taken or lent, are not to be had: it runs with its whole halo.

        None when it is finished.
        """
        lease = self._leases.get(task)
        if lease is None:
            return None
        lease.macs = self.agenda.whole[task.tile].macs
        reuse = self._reuse.get(task.frame)
        if reuse is not None:
            reuse.whole.add(task.tile)
        return Turn(task, wanted=self._wanted(task, lease.holder))

    def sent(self, task: Task, now: float) -> None:
        """Our own result is on its way to the gateway: give it as long as a thief to arrive."""
        lease = self._leases.get(task)
        if lease is not None and lease.holder == self.node:
            lease.until = now + self.current_lease_s

    def put_back(self, task: Task) -> bool:
        """A task that we or a thief could not run waits again, first in line; False when it is finished."""
        known = self._leases.pop(task, None) is not None
        if known:
            self._waiting.appendleft(task)
        return known

    def failed(self, task: Task, node: str) -> bool:
        """A node cannot compute a task: it waits again, first in line, for all others. False when it is finished.

        It runs with its whole halo then: a strip may have been what was wrong.
        """
        lease = self._leases.get(task)
        if lease is None and task not in self._waiting:
            return False
        self._unfit.setdefault(task, set()).add(node)
        if task.frame in self._reuse:
            self._reuse[task.frame].whole.add(task.tile)
        if lease is not None and lease.holder == node:
            self.put_back(task)
        return True

    def done(
        self, task: Task, worker: str, compute_s: float, now: float, macs: int = 0, strips: Iterable[int] = ()
    ) -> None:
        """The gateway has this tile, computed by `worker`, and its strips for these readers."""
        self.pace.add(worker, compute_s, macs)
        self._leases.pop(task, None)
        self._unfit.pop(task, None)
        following = next((lease for lease in self._leases.values() if lease.holder == worker), None)
        if following is not None:
            following.since = max(following.since, now)
        if task in self._waiting:
            self._waiting.remove(task)
        reuse = self._reuse.get(task.frame)
        if reuse is not None:
            reuse.makers[task.tile] = worker
            reuse.kept.update((task.tile, reader) for reader in strips)

    def expire(self, now: float) -> list[Task]:
        """Leases that have ended: their tasks wait again, first in line."""
        return self._take_back(task for task, lease in self._leases.items() if lease.until <= now)

    def node_lost(self, node: str) -> list[Task]:
        """What a lost node held waits again, first in line."""
        self.pace.forget(node)
        self._helpers.pop(node, None)
        return self._take_back(task for task, lease in self._leases.items() if lease.holder == node)

    def drop_frame(self, frame: str) -> None:
        """The frame is finished or given up: forget its tasks. One that runs here runs to its end."""
        self._waiting = deque(task for task in self._waiting if task.frame != frame)
        self._leases = {task: lease for task, lease in self._leases.items() if task.frame != frame}
        self._unfit = {task: nodes for task, nodes in self._unfit.items() if task.frame != frame}
        self._reuse.pop(frame, None)

    def _take_back(self, tasks: Iterable[Task]) -> list[Task]:
        back = list(tasks)
        for task in back:
            self.put_back(task)
        return back

    def _lease(self, turn: Turn | None, node: str, now: float, until: float) -> Turn | None:
        """The task of a turn no longer waits, but is computed by a node."""
        if turn is not None:
            costs = self.agenda.reusing if turn.reusing else self.agenda.whole
            self._waiting.remove(turn.task)
            self._leases[turn.task] = _Lease(node, now, until, costs[turn.task.tile].macs)
        return turn

    def _next(self, tasks: Iterable[Task], taker: Taker, now: float) -> Turn | None:
        """What the taker would compute next; with its whole halo, if that is sooner than waiting for strips."""
        tasks = [task for task in tasks if taker.node not in self._unfit.get(task, ())]
        best = self._best(tasks, taker)
        if best is not None or not taker.idle or not tasks or self._worth_waiting(tasks, now, taker.node):
            return best
        task = tasks[0]
        self._reuse[task.frame].whole.add(task.tile)
        return Turn(task, wanted=self._wanted(task, taker.node))

    def _best(self, tasks: Iterable[Task], taker: Taker) -> Turn | None:
        """The first task that the taker may have; of several that it computes from strips, the one it has most of."""
        best: Turn | None = None
        for task in tasks:
            if best is not None and task.frame != best.task.frame:
                break
            turn = self._turn(task, taker)
            if turn is not None and (
                best is None or (turn.reusing and self._has(turn, taker) > self._has(best, taker))
            ):
                best = turn
            if best is not None and not best.reusing:
                break
        return best

    def _turn(self, task: Task, taker: Taker) -> Turn | None:
        """How the taker would compute a waiting task; None while it is blocked, or not for this taker."""
        if taker.node in self._unfit.get(task, ()):
            return None
        reuse, givers = self._reuse.get(task.frame), self.agenda.givers.get(task.tile)
        if reuse is None or not givers or task.tile in reuse.whole:
            return Turn(task, wanted=self._wanted(task, taker.node))
        here = all(self._reaches(Task(task.frame, giver), task.tile, taker.node) for giver in givers)
        return Turn(task, reusing=True) if here and taker.reuses else None

    def _reaches(self, giver: Task, reader: int, node: str) -> bool:
        """Whether the node will have the giver's strips: they are kept, or it computed them, or will have by then."""
        reuse, lease = self._reuse[giver.frame], self._leases.get(giver)
        made_here = reuse.makers.get(giver.tile) == node or (lease is not None and lease.holder == node)
        return made_here or (giver.tile, reader) in reuse.kept

    def _wanted(self, task: Task, node: str) -> tuple[int, ...]:
        """For whom the gateway should keep this tile's strips: readers not given up; of ours, none if alone."""
        reuse = self._reuse.get(task.frame)
        if reuse is None or (self.alone and node == self.node):
            return ()
        return tuple(reader for reader in self.agenda.readers(task.tile) if reader not in reuse.whole)

    def _makers_of_givers(self, task: Task) -> set[str]:
        """The other nodes that have computed what a task waits for, or are about to."""
        givers, made = self.agenda.givers[task.tile], self._reuse[task.frame].makers
        leases = (self._leases.get(Task(task.frame, giver)) for giver in givers)
        held = {lease.holder for lease in leases if lease is not None}
        return (held | {made[giver] for giver in givers if giver in made}) - {self.node}

    def _has(self, turn: Turn, taker: Taker) -> int:
        """How many of the givers the taker has computed itself, or will have."""
        makers = self._reuse[turn.task.frame].makers
        holders = {task.tile: lease.holder for task, lease in self._leases.items() if task.frame == turn.task.frame}
        givers = self.agenda.givers[turn.task.tile]
        return sum(1 for giver in givers if taker.node in {makers.get(giver), holders.get(giver)})

    def _worth_waiting(self, blocked: Iterable[Task], now: float, node: str = "") -> bool:
        """Whether one of some blocked tasks is finished sooner from strips, which are still to come, than whole."""
        pace = self.pace.of(node)
        return pace is None or any(self._ready_in_s(task, now) < self._saved_macs(task) * pace for task in blocked)

    def _saved_macs(self, task: Task) -> int:
        return self.agenda.whole[task.tile].macs - self.agenda.reusing[task.tile].macs

    def _ready_in_s(self, task: Task, now: float) -> float:
        """When all strips for a blocked task should be there."""
        makers = self._reuse[task.frame].makers
        missing = (Task(task.frame, giver) for giver in self.agenda.givers[task.tile] if giver not in makers)
        return max((self._due_in_s(giver, now) for giver in missing), default=math.inf)

    def _due_in_s(self, task: Task, now: float) -> float:
        """When the result of a task should come; infinite for one that is late, or that nobody has begun."""
        lease = self._leases.get(task)
        if lease is None:
            return math.inf
        late_s = (LATE_FACTOR - 1) * lease.macs * (self.pace.of(lease.holder) or 0.0)
        due = self._due(lease.holder, task)
        return math.inf if now > due + late_s else max(0.0, due - now)

    def _due(self, holder: str, last: Task | None = None) -> float:
        """When a holder should be done with what it was lent, up to a task: it runs one after the other."""
        due, pace = 0.0, self.pace.of(holder) or 0.0
        for held, lease in self._leases.items():
            if lease.holder == holder:
                due = max(due, lease.since) + lease.macs * pace
            if held == last:
                break
        return due

    def _soon(self, taker: Taker, now: float) -> bool:
        """Whether a busy node will be free for one of the tasks that wait before others have taken them all.

        Others are the owner, and who has taken tasks of late. What waits for nobody but this node, it may have.
        """
        pace = self.pace.of_all
        if pace is None:
            return True
        open_to_all = [self._turn(task, ANYONE) is not None for task in self._waiting]
        if any(not known and self._turn(task, taker) for task, known in zip(self._waiting, open_to_all, strict=True)):
            return True
        recent = now - self.current_lease_s
        others = {self.node, *(helper for helper, taken in self._helpers.items() if taken > recent)} - {taker.node}
        margin_s = SOONER_FACTOR * pace * max(costs.macs for costs in self.agenda.whole.values())
        free = max(now, self._due(taker.node)) - margin_s
        return sum(1 for other in others if max(now, self._due(other)) < free) < sum(open_to_all)
