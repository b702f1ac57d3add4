"""Frigate's statistics, as far as there are any here. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.frigate.messages import FrigateMessage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.bridge import BridgeHealth

STATS_S = 60.0
"""How often Frigate tells them."""


@dataclass(frozen=True, slots=True)
class CameraRate:
    """Frames of one camera, by second, of late."""

    captured: float
    published: float
    detect: bool


def stats(
    prefix: str, health: BridgeHealth, version: str, cameras: Mapping[str, CameraRate], latency_ms: float
) -> FrigateMessage:
    """`latency_ms` is how long a frame takes, in the place of the time that Frigate's detector takes for one."""
    said = {
        "cameras": {
            name: {
                "camera_fps": round(rate.captured, 2),
                "process_fps": round(rate.published, 2),
                "skipped_fps": round(max(0.0, rate.captured - rate.published), 2),
                "detection_fps": round(rate.published, 2),
                "detection_enabled": rate.detect,
            }
            for name, rate in cameras.items()
        },
        "detectors": {"deepthings": {"detection_start": 0.0, "inference_speed": round(latency_ms, 2)}},
        "detection_fps": round(health.frames_per_s, 2),
        "service": {"uptime": int(health.up_s), "version": version, "last_updated": int(health.at)},
    }
    return FrigateMessage(f"{prefix}/stats", json.dumps(said).encode())
