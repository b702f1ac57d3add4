"""Collects the problems of the gateway and its cluster, as sentences, from their sources. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    ProblemSource = Callable[[float], Iterable[str]]

MAX_PROBLEMS_PER_SOURCE = 50
"""Problems of one source that are listed; further ones are only counted."""


class Problems:
    """Collects problems from their sources, in the order in which these were added."""

    def __init__(self) -> None:
        self._sources: dict[str, ProblemSource] = {}

    def add_source(self, name: str, source: ProblemSource) -> None:
        """Add a source: `source(now)`, in monotonic seconds, returns its problems. It replaces one of the same name."""
        self._sources[name] = source

    def current(self, now: float) -> tuple[str, ...]:
        """Return all problems at `now`."""
        problems: list[str] = []
        for source in self._sources.values():
            found = list(source(now))
            problems += found[:MAX_PROBLEMS_PER_SOURCE]
            if len(found) > MAX_PROBLEMS_PER_SOURCE:
                problems.append(f"and {len(found) - MAX_PROBLEMS_PER_SOURCE} more of this kind")
        return tuple(problems)
