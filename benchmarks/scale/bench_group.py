"""Groups of rows of the table. Those of a group are measured one after the other on the same devices."""

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
    """The extent of the bench.

    `folder`: for results, logs and programs; `quick`: observe each row only for a short time; `method`: of the
    gateway, empty if it shall choose itself.
    """

    folder: Path
    quick: bool = False
    method: str = ""

    @property
    def loop(self) -> BareOrder:
        """Return the order for the bare loops of all devices at the same time."""
        return BareOrder(4.0) if self.quick else BareOrder(15.0, frames=30)

    @property
    def alone(self) -> BareOrder:
        """Return the order for the bare loop of one device while the others are idle."""
        return BareOrder(4.0, frames=3) if self.quick else BareOrder(8.0, frames=30)

    @property
    def session(self) -> BareOrder:
        """Return the order for running only the network."""
        return BareOrder(2.0, session_only=True) if self.quick else BareOrder(10.0, frames=30, session_only=True)

    @property
    def warm_s(self) -> float:
        """Return the seconds that a cluster gets to adapt to a new load before it is observed."""
        return 2.0 if self.quick else 8.0

    @property
    def settle_s(self) -> float:
        """Return the seconds that a cluster gets to measure its devices and links again after their limits changed."""
        return 10.0 if self.quick else 20.0

    @property
    def window_s(self) -> float:
        """Return the seconds for which a cluster with frequent frames is observed."""
        return 8.0 if self.quick else 30.0

    @property
    def latency_s(self) -> float:
        """Return the seconds for which a single camera is observed, whose frames never wait for each other."""
        return 5.0 if self.quick else 20.0

    @property
    def gateway_options(self) -> tuple[str, ...]:
        """Return the options of the gateway."""
        return ("--method", self.method) if self.method else ()

    def logs(self, name: str) -> Path:
        """Make a folder for logs, and return it."""
        folder = self.folder / "logs" / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder


ScaleStep = Callable[[Any], Awaitable["Sequence[ScaleResult]"]]
"""A function that measures some rows on an open bench, and returns their results."""


@dataclass(frozen=True, slots=True)
class BenchGroup:
    """A bench and the steps that are made on it, in this order.

    `emulated`: the bench emulates devices, which needs root; `open`: makes the bench; `steps`: each with the rows that
    need it. A step of which no row was chosen is left out.
    """

    name: str
    emulated: bool
    open: Callable[[ScaleScope], AbstractAsyncContextManager[Any]]
    steps: tuple[tuple[tuple[str, ...], ScaleStep], ...]

    @property
    def rows(self) -> tuple[str, ...]:
        """Return all rows of the group, each once."""
        return tuple(dict.fromkeys(row for rows, _ in self.steps for row in rows))
