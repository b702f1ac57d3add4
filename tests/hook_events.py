"""Events as the scene gives them to hooks."""

from __future__ import annotations

from shared.payloads.observations import EventType, ObjectEvent, Trigger

BOX = (10.0, 20.0, 50.0, 120.0)
BOX_REL = (0.05, 0.1, 0.25, 0.6)


def event(kind=EventType.NEW, *, object_id="1.000-aaaaaa", camera="front", label="person", zones=(), entered=()):
    return ObjectEvent(
        type=kind, id=object_id, camera=camera, label=label, score=0.8, top_score=0.9, box=BOX, box_rel=BOX_REL,
        zones=zones, entered_zones=entered, start_time=1.0, end_time=2.0 if kind is EventType.END else None,
    )  # fmt: skip


def trigger(name="person_appeared", *, camera="front", label="person", zone=None):
    return Trigger(name=name, camera=camera, label=label, zone=zone, id="1.000-aaaaaa", at=1.0)
