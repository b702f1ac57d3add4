"""The metrics of an edge, from the figures that it publishes. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.metrics.metric_families import Metric

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shared.payloads.cluster import NodeStats


def edge_metrics(stats: NodeStats | None, version: str) -> Iterator[Metric]:
    """Yield the metrics; what is not known has none, and before the first figures there are none."""
    if stats is None:
        return
    node = {"node": stats.node}
    yield Metric("deepthings_edge_info", "The edge's release.", "gauge", [({**node, "version": version}, 1.0)])
    yield Metric(
        "deepthings_edge_tiles", "Tiles computed, of own cameras or stolen from other edges.", "counter",
        [({**node, "kind": "own"}, stats.tiles.own), ({**node, "kind": "stolen"}, stats.tiles.stolen)],
    )  # fmt: skip
    yield Metric(
        "deepthings_edge_bytes", "Bytes received by TCP, by kind of message; sent and received by MQTT.", "counter",
        [({**node, "kind": kind}, count) for kind, count in sorted(stats.bytes.items())],
    )  # fmt: skip
    yield Metric("deepthings_edge_cameras", "Cameras that it serves.", "gauge", [(node, len(stats.cameras))])
    yield Metric("deepthings_edge_frames", "Frames of its cameras under way.", "gauge", [(node, stats.frames)])
    yield Metric("deepthings_edge_lanes", "Tiles that it computes side by side.", "gauge", [(node, stats.lanes)])
    if stats.load is not None:
        yield Metric("deepthings_edge_load_ratio", "Share of all cores that are busy.", "gauge", [(node, stats.load)])
    if stats.temperature is not None:
        yield Metric(
            "deepthings_edge_temperature_celsius", "Of the processor.", "gauge", [(node, stats.temperature)]
        )  # fmt: skip
    yield Metric(
        "deepthings_edge_problem", "1 while it cannot follow the plan.", "gauge", [(node, float(bool(stats.problem)))]
    )  # fmt: skip
    yield Metric(
        "deepthings_edge_unreached_peers", "Peers that it could not reach recently.", "gauge",
        [(node, len(stats.unreached))],
    )  # fmt: skip
