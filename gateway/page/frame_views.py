"""Describes a frame for the page: its objects with reasons, and its tiles with the devices that computed them. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from gateway.observation.scene.counting_reasons import ExplainedObject, SceneExplanation, UncountedObject
    from gateway.page.tile_layout import TileBox
    from shared.payloads.cluster import DetectedObject, FrameDetections


def frame_view(
    detections: FrameDetections,
    explanation: SceneExplanation | None,
    owner: str,
    boxes: Sequence[TileBox],
    workers: Mapping[int, str],
) -> dict[str, Any]:
    """Return the frame as values of JSON; its objects have reasons if the explanation is one of this frame.

    `boxes` are the tiles' boxes in the picture, by index; `workers` the nodes that computed them.
    """
    same = explanation is not None and explanation.frame == detections.frame
    objects = [_explained(found) for found in explanation.objects] if explanation is not None and same else []
    return {
        "camera": detections.camera,
        "frame": detections.frame,
        "at": detections.captured_at,
        "latency_ms": detections.latency_ms.total,
        "grid": detections.grid,
        "size": list(detections.image),
        "owner": owner,
        "objects": objects or [_plain(found) for found in detections.objects],
        "tiles": [
            {"box": list(box), "node": workers[tile]} for tile, box in enumerate(boxes) if tile in workers
        ],
    }  # fmt: skip


def uncounted_view(found: Iterable[UncountedObject]) -> list[dict[str, Any]]:
    """Return objects that never counted, the last one first."""
    return [
        {"label": one.label, "from": one.started_at, "until": one.seen_at, "why": one.why}
        for one in reversed(list(found))
    ]


def _explained(found: ExplainedObject) -> dict[str, Any]:
    return {
        "label": found.label, "score": round(found.score, 3), "box": list(found.box_rel), "id": found.id,
        "counts": not found.why, "why": found.why, "zones": dict(found.zones),
    }  # fmt: skip


def _plain(found: DetectedObject) -> dict[str, Any]:
    return {
        "label": found.label, "score": round(found.score, 3), "box": list(found.box_rel), "id": "", "counts": True,
        "why": "", "zones": {},
    }  # fmt: skip
