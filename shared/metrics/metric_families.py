"""Metrics as values, and their text for Prometheus. No values are stored: they are read when a client asks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""The content type of Prometheus' text format, which every scraper reads."""

Sample = tuple["Mapping[str, str]", float]
"""Labels by name, and the value."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric, in base units; the name of a counter is without `_total`, which the text adds."""

    name: str
    description: str
    kind: Literal["counter", "gauge"]
    samples: Sequence[Sample]


@dataclass(frozen=True, slots=True)
class Histogram:
    """A histogram in base units: for each set of labels, the counts between the ascending upper `bounds`."""

    name: str
    description: str
    bounds: Sequence[float]
    samples: Sequence[tuple[Mapping[str, str], HistogramCounts]]


@dataclass(slots=True)
class HistogramCounts:
    """The numbers of values, each counted at the lowest bound that it does not exceed, and the sum of all values.

    The last of the `counts` is for values above all bounds.
    """

    counts: list[int]
    total: float = 0.0

    @classmethod
    def empty(cls, bounds: Sequence[float]) -> HistogramCounts:
        """Return the counts before any value."""
        return cls([0] * (len(bounds) + 1))


@dataclass(frozen=True, slots=True)
class _Collected:
    """Takes the place of a registry of prometheus_client, whose `generate_latest` only calls `collect`."""

    families: list[Any] = field(default_factory=list)

    def collect(self) -> Iterator[Any]:
        yield from self.families


def metrics_text(metrics: Iterable[Metric | Histogram]) -> bytes:
    """Return the metrics in Prometheus' text format, with those of this process: CPU time, memory, open files."""
    import prometheus_client.exposition  # noqa: PLC0415  (costs memory, and most clusters are never scraped)
    from prometheus_client import CollectorRegistry, ProcessCollector  # noqa: PLC0415

    process = ProcessCollector(registry=CollectorRegistry())
    families = [_family(metric) for metric in metrics if metric.samples]
    collected = _Collected([*families, *process.collect()])
    return prometheus_client.exposition.generate_latest(collected)


def _family(metric: Metric | Histogram) -> Any:  # noqa: ANN401  (the library has no common class)
    from prometheus_client import core  # noqa: PLC0415

    labels = list(metric.samples[0][0])
    if isinstance(metric, Histogram):
        histogram = core.HistogramMetricFamily(metric.name, metric.description, labels=labels)
        for names, found in metric.samples:
            histogram.add_metric([names[label] for label in labels], _buckets(metric.bounds, found), found.total)
        return histogram
    kind = core.CounterMetricFamily if metric.kind == "counter" else core.GaugeMetricFamily
    family = kind(metric.name, metric.description, labels=labels)
    for names, value in metric.samples:
        family.add_metric([names[label] for label in labels], value)
    return family


def _buckets(bounds: Sequence[float], found: HistogramCounts) -> list[tuple[str, float]]:
    """Return the cumulative counts, each with its bound as text, as Prometheus wants them."""
    buckets, count = [], 0
    for bound, number in zip((*map(str, bounds), "+Inf"), found.counts, strict=True):
        count += number
        buckets.append((bound, float(count)))
    return buckets
