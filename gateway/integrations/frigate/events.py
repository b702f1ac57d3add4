"""Frigate's events: every change of a followed object, with what was said of it before. Pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from gateway.integrations.frigate.messages import FrigateMessage
from shared.payloads.observations import EventType

if TYPE_CHECKING:
    from shared.payloads.observations import ObjectEvent

MAX_REMEMBERED_EVENTS = 4096
"""Objects of which the last event is kept: more than 256 cameras can follow. The oldest is given up for another."""


class FrigateEvents:
    """Remembers what was said of each object, until it ends."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._before: dict[str, dict[str, Any]] = {}

    def event_message(self, event: ObjectEvent, at: float) -> FrigateMessage:
        """The event as Frigate tells it; `at` is when its frame was taken, in seconds since 1970."""
        after = _described(event, at)
        before = self._before.pop(event.id, after)
        if event.type is not EventType.END:
            if len(self._before) >= MAX_REMEMBERED_EVENTS:
                del self._before[next(iter(self._before))]
            self._before[event.id] = after
        said = {"type": event.type.value, "before": before, "after": after}
        return FrigateMessage(f"{self._prefix}/events", json.dumps(said).encode())


def _described(event: ObjectEvent, at: float) -> dict[str, Any]:
    """Frigate's fields. The part of the picture that was looked at is all that is known of it: the object's box."""
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
