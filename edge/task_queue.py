"""An edge's tasks, pure: which wait, which run here, which are leased out, which must run again.

A task is one tile of one frame. Its own worker takes from the front, thieves from the back (paper, section III-B).
Time is monotonic seconds, given by the caller.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

LEASE_FACTOR = 4.0
"""A lease lasts this many times the longest recent tile, for the tile may wait at the thief behind another."""

RECENT_TILES = 64
"""How many results the longest recent tile is taken from: several frames' worth."""


@dataclass(frozen=True, slots=True)
class Task:
    """Tile `tile` of frame `frame`."""

    frame: str
    tile: int


@dataclass(slots=True)
class _Lease:
    holder: str
    until: float


@dataclass(slots=True)
class TaskQueue:
    """Tasks of the frames that this edge owns.

    `lease_s` is the shortest lease. One that grows with the tiles' times ends by `longest_s`, so that a frame still has
    time left: a node that was frozen reports hours for a tile.
    """

    node: str
    lease_s: float
    longest_s: float = math.inf
    _waiting: deque[Task] = field(default_factory=deque)
    _running: set[Task] = field(default_factory=set)
    _leases: dict[Task, _Lease] = field(default_factory=dict)
    _recent_s: deque[float] = field(default_factory=lambda: deque(maxlen=RECENT_TILES))

    @property
    def waiting(self) -> int:
        """Tasks that anyone may take."""
        return len(self._waiting)

    @property
    def current_lease_s(self) -> float:
        """How long a task may stay away: longer where tiles are seen to take longer."""
        return max(self.lease_s, min(self.longest_s, LEASE_FACTOR * max(self._recent_s, default=0.0)))

    def add_frame(self, frame: str, tiles: Iterable[int]) -> None:
        """A frame's tiles wait in this order, behind those of earlier frames."""
        self._waiting.extend(Task(frame, tile) for tile in tiles)

    def take(self) -> Task | None:
        """The next task for the edge's own worker; it stays ours until `sent` or `put_back`."""
        if not self._waiting:
            return None
        task = self._waiting.popleft()
        self._running.add(task)
        return task

    def lend(self, thief: str, now: float) -> Task | None:
        """The last task, leased to a thief."""
        if not self._waiting:
            return None
        task = self._waiting.pop()
        self._leases[task] = _Lease(thief, now + self.current_lease_s)
        return task

    def sent(self, task: Task, now: float) -> None:
        """Our own result is on its way to the gateway: give it as long as a thief to arrive."""
        if task in self._running:
            self._running.discard(task)
            self._leases[task] = _Lease(self.node, now + self.current_lease_s)

    def put_back(self, task: Task) -> bool:
        """A task that we or a thief could not run waits again, first in line; False when it is finished."""
        known = task in self._running or task in self._leases
        self._running.discard(task)
        self._leases.pop(task, None)
        if known:
            self._waiting.appendleft(task)
        return known

    def done(self, task: Task, compute_s: float) -> None:
        """The gateway has this tile, whoever computed it."""
        self._recent_s.append(compute_s)
        self._leases.pop(task, None)
        self._running.discard(task)
        if task in self._waiting:
            self._waiting.remove(task)

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
        self._running = {task for task in self._running if task.frame != frame}

    def next_expiry(self) -> float | None:
        """When `expire` will have something to do next."""
        return min((lease.until for lease in self._leases.values()), default=None)

    def _take_back(self, tasks: Iterable[Task]) -> list[Task]:
        back = list(tasks)
        for task in back:
            self.put_back(task)
        return back
