"""Orders to bare loops, the figures with which they answer, and computations with these figures. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean, median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


@dataclass(frozen=True, slots=True)
class BareOrder:
    """An order to work for at least `seconds`, and on at least `frames`.

    `session_only`: run only the network (`session.run`), not the whole job.
    """

    seconds: float
    frames: int = 1
    session_only: bool = False


@dataclass(frozen=True, slots=True)
class BareFigures:
    """The speed of a bare loop. `latency_s`: median of all frames; `core_ms`: CPU time for a frame, in milliseconds."""

    frames: int
    frames_per_s: float
    latency_s: float
    core_ms: float

    @classmethod
    def of(cls, latencies: Sequence[float], seconds: float, cpu_s: float) -> BareFigures:
        """Return the figures of frames. All frames together took `seconds`, and `cpu_s` seconds of CPU time."""
        count = len(latencies)
        return cls(count, count / seconds, median(latencies), cpu_s / count * 1e3)


@dataclass(frozen=True, slots=True)
class BareDevice:
    """The figures of a device alone. `loop`: when it does the whole job; `session`: when it runs only the network."""

    loop: BareFigures
    session: BareFigures


def mean_figures(measured: Sequence[BareFigures]) -> BareFigures:
    """Return the mean of one device's figures, which were measured several times."""
    return BareFigures(
        sum(each.frames for each in measured),
        fmean(each.frames_per_s for each in measured),
        fmean(each.latency_s for each in measured),
        fmean(each.core_ms for each in measured),
    )


def sum_of_rates(devices: Mapping[str, BareFigures], names: Iterable[str]) -> float:
    """Return the sum of these devices' frames a second."""
    return sum(devices[name].frames_per_s for name in names)


def drift(before: Mapping[str, BareFigures], after: Mapping[str, BareFigures]) -> float:
    """Return by which part the second measurement was faster than the first.

    Both measure the same work, so the difference shows how much the speed of the machine itself varied.
    """
    first, second = sum_of_rates(before, before), sum_of_rates(after, before)
    return second / first - 1 if first else 0.0
