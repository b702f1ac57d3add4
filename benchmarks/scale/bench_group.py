"""Rows that are measured on the same emulated devices, step by step."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmarks.scale.bare_figures import BareOrder

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from benchmarks.scale.scale_rows import ScaleResult


@dataclass(frozen=True, slots=True)
class ScaleScope:
    """The extent of the bench: its folder, and the gateway's method; empty: its own choice."""

    folder: Path
    quick: bool = False
    method: str = ""

    @property
    def loop(self) -> BareOrder:
        """Return the order for a bare loop with all devices at once."""
        return BareOrder(4.0) if self.quick else BareOrder(15.0, frames=30)

    @property
    def alone(self) -> BareOrder:
        """Return the order for a bare loop on a single device."""
        return BareOrder(4.0, frames=3) if self.quick else BareOrder(8.0, frames=30)

    @property
    def session(self) -> BareOrder:
        """Return the order for `session.run` alone."""
        return BareOrder(2.0, session_only=True) if self.quick else BareOrder(10.0, frames=30, session_only=True)

    @property
    def warm_s(self) -> float:
        """Return the seconds that a cluster gets to settle under a new load."""
        return 2.0 if self.quick else 8.0

    @property
    def settle_s(self) -> float:
        """Return the seconds that a cluster gets to measure devices and links anew, whose limits have changed."""
        return 10.0 if self.quick else 20.0

    @property
    def window_s(self) -> float:
        """Return the seconds for which a cluster with frequent frames is observed."""
        return 8.0 if self.quick else 30.0

    @property
    def latency_s(self) -> float:
        """Return the seconds for which a single, unhurried camera is observed."""
        return 5.0 if self.quick else 20.0

    @property
    def gateway_options(self) -> tuple[str, ...]:
        """Return the options of the gateway."""
        return ("--method", self.method) if self.method else ()

    def logs(self, name: str) -> Path:
        """Return a folder for logs; it is made."""
        folder = self.folder / "logs" / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder


ScaleStep = Callable[[Any], Awaitable["Sequence[ScaleResult]"]]
"""Measures some rows on an open bench."""


@dataclass(frozen=True, slots=True)
class BenchGroup:
    """A bench and its steps in order, each with the rows that it contributes to.

    A step whose rows were not chosen is left out; `emulated`: the bench needs root.
    """

    name: str
    emulated: bool
    open: Callable[[ScaleScope], AbstractAsyncContextManager[Any]]
    steps: tuple[tuple[tuple[str, ...], ScaleStep], ...]

    @property
    def rows(self) -> tuple[str, ...]:
        """Return all rows of the group, each once."""
        return tuple(dict.fromkeys(row for rows, _ in self.steps for row in rows))
