"""Makes the gateway's metrics for Prometheus from its published messages, when they are requested. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.page.daily_history import LATENCY_BOUNDS_S
from shared.metrics.metric_families import Histogram, Metric
from shared.payloads.cluster import State

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from shared.metrics.metric_families import HistogramCounts, Sample
    from shared.payloads.bridge import BridgeHealth
    from shared.payloads.cluster import CameraStats, NodeReport
    from shared.status.cluster_facts import ClusterFacts


def gateway_metrics(facts: ClusterFacts, latencies: Mapping[str, HistogramCounts]) -> Iterator[Metric | Histogram]:
    """Yield the metrics of the gateway, its cameras and its nodes, as far as their values are known, in base units."""
    if facts.info is not None:
        plan = facts.info.plan
        labels = {"version": facts.info.version, "model": facts.info.model, "method": plan.method, "grid": plan.grid}
        yield Metric("deepthings_info", "The gateway's release, model and plan.", "gauge", [(labels, 1.0)])
        yield Metric("deepthings_plan_tiles", "Tiles of a frame.", "gauge", [({}, plan.tiles)])
    if facts.health is not None:
        yield from _health(facts.health)
    yield from _cameras(list(facts.cameras.values()))
    yield Histogram(
        "deepthings_frame_latency_seconds", "From capture to publication.", LATENCY_BOUNDS_S,
        [({"camera": camera}, counts) for camera, counts in sorted(latencies.items())],
    )  # fmt: skip
    if facts.nodes is not None:
        yield from _nodes(facts.nodes.nodes)
        received = [({"kind": kind}, float(count)) for kind, count in sorted(facts.nodes.gateway_bytes.items())]
        yield Metric(
            "deepthings_gateway_bytes", "Received by TCP, by kind; sent and received by MQTT.", "counter", received
        )  # fmt: skip


def _health(health: BridgeHealth) -> Iterator[Metric]:
    yield Metric("deepthings_problems", "Problems, as bridge/health has them.", "gauge", [({}, len(health.problems))])
    yield Metric(
        "deepthings_public_frames_dropped", "Frames that the broker of the house did not accept in time.", "counter",
        [({}, health.public_frames_dropped)],
    )  # fmt: skip
    if health.frame_time is not None:
        parts = health.frame_time.model_dump().items()
        yield Metric(
            "deepthings_frame_stage_seconds", "Median time of a frame in each stage of its way.", "gauge",
            [({"stage": part.removesuffix("_ms")}, took / 1e3) for part, took in parts if part != "total_ms"],
        )  # fmt: skip


def _cameras(cameras: Sequence[CameraStats]) -> Iterator[Metric]:
    yield Metric(
        "deepthings_camera_online", "1 while the camera delivers pictures.", "gauge",
        [(_camera(one), float(one.state is State.ONLINE and not one.ended)) for one in cameras],
    )  # fmt: skip
    yield Metric(
        "deepthings_frames_captured", "Frames that the camera's agent took.", "counter",
        [(_camera(one), float(one.counts.captured)) for one in cameras],
    )  # fmt: skip
    yield Metric(
        "deepthings_frames_published", "Frames whose detections were published.", "counter",
        [(_camera(one), float(one.counts.published)) for one in cameras],
    )  # fmt: skip
    yield Metric(
        "deepthings_frames_dropped", "Frames that were dropped, by reason (docs/topics.md).", "counter",
        [
            ({**_camera(one), "reason": str(reason)}, float(count))
            for one in cameras
            for reason, count in sorted(one.counts.dropped.items())
        ],
    )  # fmt: skip


def _camera(stats: CameraStats) -> Mapping[str, str]:
    return {"camera": stats.camera, "node": stats.node}


def _nodes(nodes: Mapping[str, NodeReport]) -> Iterator[Metric]:
    def each(name: str, description: str, values: Mapping[str, float | None]) -> Metric:
        known: list[Sample] = [({"node": node}, value) for node, value in values.items() if value is not None]
        return Metric(f"deepthings_node_{name}", description, "gauge", known)

    found = dict(sorted(nodes.items()))
    online = {name: node for name, node in found.items() if node.state is State.ONLINE}
    yield each("online", "1 while the edge is connected.", {name: float(name in online) for name in found})
    yield each("barred", "1 while it gets no work.", {name: float(bool(node.barred)) for name, node in found.items()})
    yield each("load_ratio", "Share of all cores that are busy.", {name: node.load for name, node in online.items()})
    yield each("temperature_celsius", "Of the processor.", {name: node.temperature for name, node in online.items()})
    yield each(
        "computable_frames_per_second", "Whole frames that it could compute, by its measured speed.",
        {name: node.computable_per_s for name, node in online.items()},
    )  # fmt: skip
    yield Metric(
        "deepthings_node_tiles", "Tiles computed, of own cameras or stolen from other edges.", "counter",
        [
            ({"node": name, "kind": kind}, float(count))
            for name, node in found.items()
            for kind, count in (("own", node.tiles.own), ("stolen", node.tiles.stolen))
        ],
    )  # fmt: skip
    yield Metric(
        "deepthings_node_tiles_failed", "Tiles that it did not compute, or that are not numbers.", "counter",
        [({"node": name}, float(node.failed)) for name, node in found.items()],
    )  # fmt: skip
    yield Metric(
        "deepthings_node_bytes", "Received by TCP, by kind; sent and received by MQTT.", "counter",
        [
            ({"node": name, "kind": kind}, float(count))
            for name, node in found.items()
            for kind, count in sorted(node.bytes.items())
        ],
    )  # fmt: skip
