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
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from edge.agenda import Agenda

LEASE_FACTOR = 4.0
"""A lease lasts this many times the longest recent tile, for the tile may wait at the thief behind another."""

RECENT_TILES = 64
"""How many results the longest recent tile, and the pace of workers, are taken from: several frames' worth."""

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
    """Tasks that anyone may take, those that wait for strips, and, by node, how many of the latter do not for it."""

    waiting: int = 0
    blocked: int = 0
    near: Mapping[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class _Lease:
    holder: str
    since: float
    until: float


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
    _waiting: deque[Task] = field(default_factory=deque)
    _running: dict[Task, float] = field(default_factory=dict)
    _leases: dict[Task, _Lease] = field(default_factory=dict)
    _reuse: dict[str, _Reuse] = field(default_factory=dict)
    _recent_s: deque[float] = field(default_factory=lambda: deque(maxlen=RECENT_TILES))
    _pace: deque[float] = field(default_factory=lambda: deque(maxlen=RECENT_TILES))

    @property
    def empty(self) -> bool:
        """Whether no task waits, for anyone or for strips."""
        return not self._waiting

    @property
    def openings(self) -> Openings:
        """What may be taken now, and by whom."""
        waiting, near = 0, Counter[str]()
        for task in self._waiting:
            if self._turn(task, ANYONE) is not None:
                waiting += 1
            else:
                near.update(node for node in self._makers_of_givers(task) if self._turn(task, Taker(node, reuses=True)))
        return Openings(waiting, len(self._waiting) - waiting, dict(sorted(near.items())))

    @property
    def current_lease_s(self) -> float:
        """How long a task may stay away: longer where tiles are seen to take longer."""
        return max(self.lease_s, min(self.longest_s, LEASE_FACTOR * max(self._recent_s, default=0.0)))

    @property
    def pace(self) -> float | None:
        """Seconds that workers need for a multiply-accumulate operation, as of late; None before the first result."""
        return median(self._pace) if self._pace else None

    def add_frame(self, frame: str, *, reuse: bool = False) -> None:
        """A frame's tasks wait in the agenda's order, behind those of earlier frames."""
        if reuse:
            self._reuse[frame] = _Reuse()
        self._waiting.extend(Task(frame, tile) for tile in self.agenda.order)

    def take(self, now: float, *, reuses: bool = False) -> Turn | None:
        """The next task for the edge's own worker, which is idle; it stays ours until `sent` or `put_back`."""
        turn = self._next(self._waiting, Taker(self.node, reuses=reuses), now)
        if turn is not None:
            self._waiting.remove(turn.task)
            self._running[turn.task] = now
        return turn

    def lend(self, taker: Taker, now: float) -> Turn | None:
        """The last task that the thief may have, leased to it."""
        turn = self._next(reversed(self._waiting), taker, now)
        if turn is not None:
            self._waiting.remove(turn.task)
            self._leases[turn.task] = _Lease(taker.node, now, now + self.current_lease_s)
        return turn

    def without_strips(self, task: Task) -> Turn | None:
        """The strips for this task, which is taken or lent, are not to be had: it runs with its whole halo.

        None when it is finished.
        """
        if task not in self._running and task not in self._leases:
            return None
        reuse = self._reuse.get(task.frame)
        if reuse is not None:
            reuse.whole.add(task.tile)
        lease = self._leases.get(task)
        return Turn(task, wanted=self._wanted(task, lease.holder if lease else self.node))

    def sent(self, task: Task, now: float) -> None:
        """Our own result is on its way to the gateway: give it as long as a thief to arrive."""
        begun = self._running.pop(task, None)
        if begun is not None:
            self._leases[task] = _Lease(self.node, begun, now + self.current_lease_s)

    def put_back(self, task: Task) -> bool:
        """A task that we or a thief could not run waits again, first in line; False when it is finished."""
        known = task in self._running or task in self._leases
        self._running.pop(task, None)
        self._leases.pop(task, None)
        if known:
            self._waiting.appendleft(task)
        return known

    def done(self, task: Task, worker: str, compute_s: float, macs: int = 0, strips: Iterable[int] = ()) -> None:
        """The gateway has this tile, computed by `worker`, and its strips for these readers."""
        self._recent_s.append(compute_s)
        if macs:
            self._pace.append(compute_s / macs)
        self._leases.pop(task, None)
        self._running.pop(task, None)
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
        return self._take_back(task for task, lease in self._leases.items() if lease.holder == node)

    def drop_frame(self, frame: str) -> None:
        """The frame is finished or given up: forget its tasks. One that runs here runs to its end."""
        self._waiting = deque(task for task in self._waiting if task.frame != frame)
        self._leases = {task: lease for task, lease in self._leases.items() if task.frame != frame}
        self._running = {task: begun for task, begun in self._running.items() if task.frame != frame}
        self._reuse.pop(frame, None)

    def _take_back(self, tasks: Iterable[Task]) -> list[Task]:
        back = list(tasks)
        for task in back:
            self.put_back(task)
        return back

    def _next(self, tasks: Iterable[Task], taker: Taker, now: float) -> Turn | None:
        """The first task that the taker may have; of several that are computed from strips, the one it has most of."""
        blocked: Task | None = None
        best: Turn | None = None
        for task in tasks:
            if best is not None and task.frame != best.task.frame:
                break
            turn = self._turn(task, taker)
            if turn is None:
                blocked = blocked or task
            elif best is None or (turn.reusing and best.reusing and self._has(turn, taker) > self._has(best, taker)):
                best = turn
            if best is not None and not best.reusing:
                break
        if best is None and blocked is not None and taker.idle and not self._worth_waiting(blocked, now):
            self._reuse[blocked.frame].whole.add(blocked.tile)
            return Turn(blocked, wanted=self._wanted(blocked, taker.node))
        return best

    def _turn(self, task: Task, taker: Taker) -> Turn | None:
        """How the taker would compute a waiting task; None while it is blocked."""
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

    def _worth_waiting(self, task: Task, now: float) -> bool:
        """Whether a blocked task is finished sooner from strips, which are still to come, than with its whole halo."""
        pace = self.pace
        if pace is None:
            return True
        makers = self._reuse[task.frame].makers
        missing = (Task(task.frame, giver) for giver in self.agenda.givers[task.tile] if giver not in makers)
        strips_in_s = max((self._due_in_s(giver, pace, now) for giver in missing), default=math.inf)
        saved_s = (self.agenda.whole[task.tile].macs - self.agenda.reusing[task.tile].macs) * pace
        return strips_in_s < saved_s

    def _due_in_s(self, task: Task, pace: float, now: float) -> float:
        """When the result of a task should come; infinite for one that is late, or that nobody has begun."""
        expected_s = self.agenda.whole[task.tile].macs * pace
        if task in self._running:
            due = self._running[task] + expected_s
        elif task in self._leases:
            due = self._due(self._leases[task].holder, task, pace)
        else:
            return math.inf
        return math.inf if now > due + (LATE_FACTOR - 1) * expected_s else max(0.0, due - now)

    def _due(self, holder: str, task: Task, pace: float) -> float:
        """When a holder should be done with a task, as it runs those that it was lent one after the other."""
        due = 0.0
        for held, lease in self._leases.items():
            if lease.holder == holder:
                due = max(due, lease.since) + self.agenda.whole[held.tile].macs * pace
            if held == task:
                break
        return due
