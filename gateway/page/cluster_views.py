"""Makes the sections of the page: devices and their help, cameras, the plan, events, history. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.configuration.drawn_areas import drawn_areas_of
from gateway.page.plan_reasons import explain_choice
from shared.settings.polygons import is_relative

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from gateway.cameras.applied_settings import EffectiveSettings
    from gateway.cameras.area_switches import SwitchedArea
    from gateway.configuration.cameras import CameraSection
    from gateway.configuration.objects import ObjectsSection
    from gateway.page.daily_history import PastMinute
    from gateway.page.page_record import ObjectRecord
    from shared.payloads.bridge import BridgeEvent, BridgeInfo
    from shared.payloads.cluster import Nodes
    from shared.status.status_report import CameraStatus, Status


MAX_COLOURED_DEVICES = 1000
"""Devices whose colours are remembered: far more than a cluster has."""


class DeviceColours:
    """Numbers devices in the order in which they appear, so that they keep their colours while others come and go."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def number(self, device: str) -> int:
        """Return the number of a device's colour, from 0."""
        if device not in self._numbers and len(self._numbers) >= MAX_COLOURED_DEVICES:
            self._numbers.clear()
        return self._numbers.setdefault(device, len(self._numbers))


def cluster_view(
    status: Status,
    nodes: Nodes | None,
    flows: Sequence[tuple[str, str, float]],
    colours: DeviceColours,
    links: Sequence[tuple[str, str, float]],
) -> dict[str, Any]:
    """Return the gateway, its devices, their help for each other, and their links.

    `flows` are (owner, worker, tiles per second); `links` are measured rates: (owner of a tile, node that fetched it,
    bytes per second).
    """
    reports = nodes.nodes if nodes else {}
    devices, up_s = [], status.gateway.up_s
    for name, edge in status.edges.items():
        report = reports[name]
        remark = report.barred or report.problem or report.reason
        devices.append(
            edge.model_dump(mode="json")
            | {"name": name, "colour": colours.number(name), "remark": remark, "drained": report.drained}
            | {"load": report.load, "received": sum(report.bytes.values()), "profile_per_s": report.profile_per_s}
        )
    return {
        "gateway": status.gateway.model_dump(mode="json", include={"release", "device", "frames_per_s"})
        | {"since": None if up_s is None else round(status.at - up_s, -1)},
        "devices": devices,
        "flows": [
            {"owner": owner, "worker": worker, "tiles_per_s": rate} for owner, worker, rate in flows
        ],
        "links": [
            {"from": owner, "to": thief, "mbit_per_s": float(f"{rate * 8e-6:.2g}")} for owner, thief, rate in links
        ],
    }  # fmt: skip


def plan_view(status: Status, info: BridgeInfo | None, explanation: str) -> dict[str, Any]:
    """Return the plan, its reason in words, and predicted speeds beside measured ones."""
    gateway = status.gateway
    gain = gateway.gain
    return {
        "model": gateway.model,
        "method": gateway.method,
        "grid": gateway.grid,
        "tiles": info.plan.tiles if info else None,
        "work": info.plan.work if info else None,
        "cut": list(info.plan.cut) if info else [],
        "why": explanation,
        "choice": explain_choice(info.predicted) if info else "",
        "considered": [considered.model_dump(mode="json") for considered in info.predicted] if info else [],
        "gain_in_words": gateway.gain_in_words,
        "frame_time_in_words": gateway.frame_time_in_words,
        "frame_time": gateway.frame_time.model_dump() if gateway.frame_time else None,
        "measured_per_s": gateway.frames_per_s,
        "predicted_per_s": gain.frames_per_s if gain else None,
        "best_alone": gain.fastest if gain else None,
        "best_alone_per_s": gain.fastest_frames_per_s if gain else None,
    }


def camera_view(
    name: str,
    status: CameraStatus,
    section: CameraSection,
    objects: ObjectsSection,
    settings: EffectiveSettings,
    areas: Sequence[tuple[SwitchedArea, bool]],
) -> dict[str, Any]:
    """Return a camera: its state, the settings that can be changed, and its zones and masks."""
    size = (status.width or 0, status.height or 0)
    drawn = [
        {"name": area.name, "zone": area.is_zone, "corners": _relative(area.polygon, size), "on": on}
        for area, (_, on) in zip(drawn_areas_of(section, objects), areas, strict=True)
        if is_relative(area.polygon) or all(size)
    ]
    return status.model_dump(mode="json") | {
        "name": name,
        "title": section.friendly_name or name,
        "settings": {
            "enabled": settings.enabled, "detect": settings.detect, "threshold": settings.threshold,
            "fps": settings.fps, "labels": None if settings.labels is None else list(settings.labels),
        },
        "track": list(objects.track),
        "areas": drawn,
        "switches": [
            {"name": area.name, "title": area.title, "zone": area.is_zone, "on": on} for area, on in areas
        ],
    }  # fmt: skip


def _relative(polygon: Sequence[tuple[float, float]], size: tuple[int, int]) -> list[list[float]]:
    if is_relative(tuple(polygon)):
        return [[x, y] for x, y in polygon]
    return [[round(x / size[0], 4), round(y / size[1], 4)] for x, y in polygon]


def events_view(
    objects: Mapping[str, ObjectRecord], pictured: Iterable[str], cluster_events: Sequence[BridgeEvent]
) -> dict[str, Any]:
    """Return the objects that counted, and the events of the cluster, newest first.

    `pictured` are the ids of objects that have a picture.
    """
    with_picture = set(pictured)
    return {
        "objects": [
            record.event.model_dump(
                mode="json",
                include={
                    "type", "id", "camera", "label", "top_score", "zones", "entered_zones", "stationary", "start_time",
                    "end_time", "reason",
                },
            )
            | {"picture": record.event.id in with_picture}
            for record in reversed(list(objects.values()))
        ],
        "cluster": [event.model_dump(mode="json") for event in reversed(cluster_events)],
    }  # fmt: skip


def history_view(minutes: Sequence[PastMinute]) -> dict[str, list[float | None]]:
    """Return the columns of the last day, for a plot."""
    return {
        "at": [minute.at for minute in minutes],
        "frames_per_s": [round(minute.published / 60, 2) for minute in minutes],
        "lost_per_min": [minute.lost for minute in minutes],
        "median_ms": [minute.median_ms for minute in minutes],
        "slow_ms": [minute.slow_ms for minute in minutes],
    }
