"""Tasks: one task is one tile of one frame."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Task:
    """Tile `tile` of frame `frame`."""

    frame: str
    tile: int


@dataclass(frozen=True, slots=True)
class ScheduledTask:
    """A task and its form: from strips (`reusing`) or with its whole halo. The tiles in `wanted` need its strips."""

    task: Task
    reusing: bool = False
    wanted: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Taker:
    """A node that takes a task. `idle`: it has nothing to do; `reuses`: its engine can compute from strips."""

    node: str
    idle: bool = True
    reuses: bool = False


ANYONE = Taker("", reuses=True)
"""A taker that has computed no tile yet, and so has no strips of its own."""


@dataclass(frozen=True, slots=True)
class AvailableTasks:
    """Numbers of tasks that nodes may take.

    `waiting`: by anyone. `overdue`: by idle nodes, with their whole halo. `near`: by node, those for which it has
    computed the strips itself. `unfit`: by node, those among the waiting ones that it failed to compute. `slow`: the
    nodes that would end one of the waiting tasks after all others have ended the rest.
    """

    waiting: int = 0
    overdue: int = 0
    near: Mapping[str, int] = field(default_factory=dict)
    unfit: Mapping[str, int] = field(default_factory=dict)
    slow: frozenset[str] = frozenset()

    def unfit_or_slow(self) -> dict[str, int]:
        """Return, by node, the waiting tasks that it should not take."""
        return {**self.unfit, **dict.fromkeys(sorted(self.slow), self.waiting)}


NO_TASKS = AvailableTasks()
