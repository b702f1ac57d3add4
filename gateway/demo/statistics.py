"""Collects statistics of a running cluster from its public topics."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np

from shared.mqtt import topics
from shared.payloads.cluster import (
    BridgeState,
    CameraStats,
    FrameDetections,
    Latency,
    Nodes,
    State,
    TileCounts,
    Verification,
)
from shared.payloads.frames import FrameCounts

if TYPE_CHECKING:
    from shared.mqtt.bus import Bus

STAGES = tuple(name for name in Latency.model_fields if name != "total")
"""The parts of a frame's latency."""


class ClusterStatistics:
    """Follows one camera on the public topics, as any subscriber can.

    The events are set when the gateway is online, the edges are ready or offline, the camera has ended, and all its
    detections have been received.
    """

    def __init__(self, bus: Bus, camera: str, edges: tuple[str, ...]) -> None:
        self.gateway_online = asyncio.Event()
        self.edges_ready = asyncio.Event()
        self.edges_offline = asyncio.Event()
        self.camera_ended = asyncio.Event()
        self.all_received = asyncio.Event()
        self.counts = FrameCounts()
        self.published = 0
        self.nodes = Nodes(nodes={})
        self.latest: FrameDetections | None = None
        self.labels: Counter[str] = Counter()
        self.tiles: dict[str, TileCounts] = {edge: TileCounts() for edge in edges}
        self.latencies: dict[str, list[float]] = defaultdict(list)
        self.max_abs_diff: float | None = None
        self._edges = edges
        bus.on(topics.BRIDGE_STATE, self._on_state)
        bus.on(topics.BRIDGE_NODES, self._on_nodes)
        bus.on(topics.BRIDGE_VERIFICATION, self._on_verification)
        bus.on(topics.DETECTIONS, self._on_detections, camera)
        bus.on(topics.CAMERA_STATS, self._on_stats, camera)

    def _on_state(self, _: str, bridge: BridgeState) -> None:
        if bridge.state is State.ONLINE:
            self.gateway_online.set()

    def _on_nodes(self, _: str, nodes: Nodes) -> None:
        self.nodes = nodes
        own = [nodes.nodes[edge] for edge in self._edges if edge in nodes.nodes]
        if len(own) == len(self._edges):
            if all(node.epoch for node in own):
                self.edges_ready.set()
            elif all(node.state is State.OFFLINE for node in own):
                self.edges_offline.set()

    def _on_verification(self, _: str, verification: Verification) -> None:
        self.max_abs_diff = max(self.max_abs_diff or 0.0, verification.max_abs_diff)

    def _on_detections(self, _: str, detections: FrameDetections) -> None:
        self.latest = detections
        self.published += 1
        self.labels.update(found.label for found in detections.objects)
        for name, value in detections.latency_ms:
            self.latencies[name].append(value)
        for node, tiles in detections.nodes.items():
            known = self.tiles.get(node, TileCounts())
            self.tiles[node] = TileCounts(own=known.own + tiles.own, stolen=known.stolen + tiles.stolen)
        self._check_all_received()

    def _on_stats(self, _: str, stats: CameraStats) -> None:
        self.counts = stats.counts
        if stats.ended:
            self.camera_ended.set()
        self._check_all_received()

    def _check_all_received(self) -> None:
        if self.camera_ended.is_set() and self.published >= self.counts.published:
            self.all_received.set()

    def percentile(self, stage: str, percent: float) -> float:
        """Return a percentile of a stage's latency in milliseconds; 0 before the first frame."""
        values = self.latencies.get(stage)
        return round(float(np.percentile(values, percent)), 1) if values else 0.0

    def bytes_by_plane(self) -> dict[str, dict[str, int]]:
        """Return the bytes of the whole cluster: received over TCP by kind, sent over MQTT by node."""
        tcp: Counter[str] = Counter()
        mqtt: Counter[str] = Counter()
        nodes = {name: node.bytes for name, node in self.nodes.nodes.items()}
        for name, counted in {**nodes, "gateway": self.nodes.gateway_bytes}.items():
            for kind, count in counted.items():
                if kind == "mqtt":
                    mqtt[name] += count
                elif kind.startswith("tcp_"):
                    tcp[kind.removeprefix("tcp_")] += count
        return {"tcp": dict(sorted(tcp.items())), "mqtt": dict(sorted(mqtt.items()))}

    def summary(self) -> dict[str, Any]:
        """Return the result of the demo, as values for JSON."""
        frames = max(1, self.published)
        return {
            "frames_captured": self.counts.captured,
            "frames_published": self.counts.published,
            "frames_dropped": {str(reason): count for reason, count in self.counts.dropped.items()},
            "detections_seen": self.published,
            "tiles": {edge: tiles.model_dump() for edge, tiles in sorted(self.tiles.items())},
            "bytes": self.bytes_by_plane(),
            "latency_ms": {
                "p50": self.percentile("total", 50),
                "p95": self.percentile("total", 95),
                "stages": {
                    stage: {"p50": self.percentile(stage, 50), "p95": self.percentile(stage, 95)} for stage in STAGES
                },
            },
            "objects": {label: round(count / frames, 2) for label, count in self.labels.most_common()},
            "max_abs_diff": self.max_abs_diff,
        }
