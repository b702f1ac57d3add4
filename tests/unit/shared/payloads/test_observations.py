from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from shared.payloads.observations import EventType, FollowedObject, LabelState, ObjectEvent, Trigger

FOUND: dict[str, Any] = {
    "id": "1700000000.123-a1b2c3", "label": "person", "score": 0.8, "box": [1, 2, 3, 4],
    "box_rel": [0.1, 0.2, 0.3, 0.4],
    "zones": ["porch"], "stationary": True,
}  # fmt: skip
STATE: dict[str, Any] = {
    "count": 1, "active": 0, "objects": [FOUND], "frame": "door-1", "captured_at": 1.5, "latency_ms": 80.5,
    "degraded": True,
}  # fmt: skip
EVENT: dict[str, Any] = {
    "type": "end", "id": FOUND["id"], "camera": "door", "label": "person", "score": 0.8, "top_score": 0.9,
    "box": [1, 2, 3, 4], "box_rel": [0.1, 0.2, 0.3, 0.4], "zones": [], "entered_zones": ["porch"], "stationary": False,
    "start_time": 1.5, "end_time": 2.5, "reason": "gone", "frame": "door-1",
}  # fmt: skip
TRIGGER: dict[str, Any] = {
    "name": "person_in_porch", "camera": "door", "label": "person", "zone": "porch", "id": FOUND["id"], "at": 1.5,
}  # fmt: skip
VALID: list[tuple[type[Any], dict[str, Any]]] = [
    (FollowedObject, FOUND), (LabelState, STATE), (ObjectEvent, EVENT), (Trigger, TRIGGER),
]  # fmt: skip
kinds = pytest.mark.parametrize(("kind", "payload"), VALID, ids=[kind.__name__ for kind, _ in VALID])


@kinds
def test_a_payload_has_every_field_and_no_other(kind, payload):
    """Automations read these by name: one that is renamed here breaks them."""
    assert set(payload) == set(kind.model_fields)
    assert json.loads(kind.model_validate_json(json.dumps(payload)).model_dump_json()) == payload


@kinds
def test_an_unknown_field_is_ignored(kind, payload):
    later = json.dumps({**payload, "invented_later": [1]})
    assert kind.model_validate_json(later) == kind.model_validate_json(json.dumps(payload))


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        (FollowedObject, {"box": [1, 2, 3]}),
        (FollowedObject, {"score": float("nan")}),
        (LabelState, {"count": "many"}),
        (LabelState, {"objects": [{"id": "x"}]}),
        (LabelState, {"captured_at": float("inf")}),
        (ObjectEvent, {"type": "pause"}),
        (ObjectEvent, {"start_time": None}),
        (Trigger, {"at": "now"}),
        (Trigger, {"id": None}),
    ],
)
def test_a_field_of_a_wrong_kind_is_refused(kind, change):
    with pytest.raises(ValidationError, match=next(iter(change))):
        kind.model_validate({**dict(VALID)[kind], **change})


def test_events_are_called_as_frigate_calls_them():
    assert [str(kind) for kind in EventType] == ["new", "update", "end"]


def test_a_label_of_which_nothing_is_there_says_so_in_numbers():
    assert json.loads(LabelState(count=0, active=0).model_dump_json()) == {
        "count": 0, "active": 0, "objects": [], "frame": "", "captured_at": 0.0, "latency_ms": 0.0, "degraded": False,
    }  # fmt: skip
