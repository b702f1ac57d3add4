"""Orders to bare loops, their figures, and what those of several devices are together. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean, median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


@dataclass(frozen=True, slots=True)
class BareOrder:
    """Work for at least `seconds` and `frames`. `session_only`: nothing but `session.run`."""

    seconds: float
    frames: int = 1
    session_only: bool = False


@dataclass(frozen=True, slots=True)
class BareFigures:
    """The speed of a bare loop: frames a second, latency of a frame (median), and processor time for a frame."""

    frames: int
    frames_per_s: float
    latency_s: float
    core_ms: float

    @classmethod
    def of(cls, latencies: Sequence[float], seconds: float, cpu_s: float) -> BareFigures:
        """Return the figures of frames that took `seconds` and `cpu_s` together."""
        count = len(latencies)
        return cls(count, count / seconds, median(latencies), cpu_s / count * 1e3)


@dataclass(frozen=True, slots=True)
class BareDevice:
    """A device alone: the whole job in a loop, and `session.run` alone."""

    loop: BareFigures
    session: BareFigures


def mean_figures(measured: Sequence[BareFigures]) -> BareFigures:
    """Return the mean of the same device's figures, measured before and after the cluster's."""
    return BareFigures(
        sum(each.frames for each in measured),
        fmean(each.frames_per_s for each in measured),
        fmean(each.latency_s for each in measured),
        fmean(each.core_ms for each in measured),
    )


def sum_of_rates(devices: Mapping[str, BareFigures], names: Iterable[str]) -> float:
    """Return the frames a second of these devices together."""
    return sum(devices[name].frames_per_s for name in names)


def drift(before: Mapping[str, BareFigures], after: Mapping[str, BareFigures]) -> float:
    """Return how much faster the second run was than the first, as a part of it: the noise of the machine."""
    first, second = sum_of_rates(before, before), sum_of_rates(after, before)
    return second / first - 1 if first else 0.0
