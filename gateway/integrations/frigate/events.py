"""Makes Frigate's events: every change of a followed object, with its previous state. Pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from gateway.integrations.frigate.messages import FrigateMessage
from shared.payloads.observations import EventType

if TYPE_CHECKING:
    from shared.payloads.observations import ObjectEvent

MAX_REMEMBERED_EVENTS = 4096
"""Objects whose last event is kept: more than 256 cameras have at once. Beyond that the oldest is forgotten."""


class FrigateEvents:
    """Keeps the last event of each object until it ends."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._before: dict[str, dict[str, Any]] = {}

    def event_message(self, event: ObjectEvent, at: float) -> FrigateMessage:
        """Return an event in Frigate's form; `at` is the capture time of its frame, in seconds since 1970."""
        after = _frigate_fields(event, at)
        before = self._before.pop(event.id, after)
        if event.type is not EventType.END:
            if len(self._before) >= MAX_REMEMBERED_EVENTS:
                del self._before[next(iter(self._before))]
            self._before[event.id] = after
        content = {"type": event.type.value, "before": before, "after": after}
        return FrigateMessage(f"{self._prefix}/events", json.dumps(content).encode())


def _frigate_fields(event: ObjectEvent, at: float) -> dict[str, Any]:
    """Return the fields of Frigate for an object. `region`, which is unknown here, is set to the object's box."""
    left, top, right, bottom = (round(side) for side in event.box)
    width, height = right - left, bottom - top
    return {
        "id": event.id,
        "camera": event.camera,
        "frame_time": at,
        "snapshot": None,
        "snapshot_time": at,
        "label": event.label,
        "sub_label": None,
        "top_score": event.top_score,
        "false_positive": False,
        "start_time": event.start_time,
        "end_time": event.end_time,
        "score": event.score,
        "box": [left, top, right, bottom],
        "area": width * height,
        "ratio": round(width / height, 6) if height else 0.0,
        "region": [left, top, right, bottom],
        "active": not event.stationary,
        "stationary": event.stationary,
        "motionless_count": 0,
        "position_changes": 0,
        "current_zones": list(event.zones),
        "entered_zones": list(event.entered_zones),
        "has_clip": False,
        "has_snapshot": False,
        "thumbnail": None,
        "attributes": {},
        "current_attributes": [],
    }
