"""What is wrong with the cluster, in sentences: each part that knows of problems is a source of them. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    ProblemSource = Callable[[float], Iterable[str]]

MAX_PROBLEMS_PER_SOURCE = 50
"""Sentences of one source; who has more than this to mend begins with these."""


class Problems:
    """The sources by name; they are asked in the order in which they were added."""

    def __init__(self) -> None:
        self._sources: dict[str, ProblemSource] = {}

    def add_source(self, name: str, source: ProblemSource) -> None:
        """Have `source(now)`, in monotonic seconds, asked for what is wrong."""
        self._sources[name] = source

    def current(self, now: float) -> tuple[str, ...]:
        """Return what is wrong at `now`."""
        said: list[str] = []
        for source in self._sources.values():
            found = list(source(now))
            said += found[:MAX_PROBLEMS_PER_SOURCE]
            if len(found) > MAX_PROBLEMS_PER_SOURCE:
                said.append(f"and {len(found) - MAX_PROBLEMS_PER_SOURCE} more of this kind")
        return tuple(said)
