from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from shared.payloads.cluster import (
    MAX_REASON_LENGTH,
    CameraAssignment,
    CameraStats,
    FrameDetections,
    FrameDone,
    Grant,
    NodeState,
    NodeStats,
    State,
    StealRequest,
    TaskAnnouncement,
    TileDone,
)  # fmt: skip
from shared.plan.plan import MAX_STAGES, Distribution, Plan, TilePlan

TILE = {"inputs": [[0, 0, 416, 416]], "outputs": [[0, 0, 52, 52]], "pads": [[1, 1, 1, 1]], "macs": 7}

PLAN: dict[str, Any] = {
    "epoch": 3,
    "method": "ftp-wst",
    "model": "nanodet-g",
    "input": [416, 416],
    "preprocessing": {"mean": [1, 2, 3], "std": [4, 5, 6]},
    "cut": ["concat_28"],
    "stages": [
        {
            "layers": 28,
            "grid": "1x1",
            "channels": [128],
            "program": {"sha256": "0" * 64, "bytes": 9},
            "working_bytes": 1000,
            "tiles": [TILE],
        }
    ],
    "distribution": "stealing",
    "gateway_host": "",
    "gateway_port": 4000,
    "lease_s": 1.0,
    "deadline_s": 10.0,
}

STAGE: dict[str, Any] = PLAN["stages"][0]

BEHIND: dict[str, Any] = {**STAGE, "tiles": [{**TILE, "inputs": TILE["outputs"]}]}
"""A stage that reads what another, or the same, has made."""

VALID: list[tuple[type[Any], dict[str, Any]]] = [
    (NodeState, {"node": "pi-1", "state": "online", "protocol": 1, "version": "1", "host": "10.0.0.1", "port": 4000}),
    (TaskAnnouncement, {"node": "pi-1", "epoch": 3, "waiting": 9, "overdue": 4, "near": {"pi-2": 1}, "opened": None}),
    (StealRequest, {"node": "pi-1", "epoch": 3, "missed": "pi-2", "idle": False}),
    (Grant, {"epoch": 3, "victim": "pi-1", "host": "10.0.0.1", "port": 4000}),
    (
        TileDone,
        {
            "frame": "f", "tile": 2, "worker": "pi-1", "compute_ms": 12.5, "macs": 7, "fetch_bytes_per_s": 1e6,
            "strips": [1, 3],
        },
    ),
    (FrameDone, {"frame": "f", "outcome": "published"}),
    (Plan, PLAN),
    (
        CameraStats,
        {
            "camera": "door", "node": "pi-1", "counts": {"captured": 3, "published": 1, "dropped": {"deadline": 1}},
            "ended": False, "state": "offline", "reason": "no route", "fps": 12.5, "width": 640, "height": 480,
        },
    ),
    (
        NodeStats,
        {
            "node": "pi-1", "epoch": 3, "tiles": {"own": 1, "stolen": 2}, "bytes": {"mqtt": 1}, "cameras": ["door"],
            "load": 0.5, "temperature": 48.5,
        },
    ),
    (
        CameraAssignment,
        {
            "node": "pi-1", "host": "", "port": 4000,
            "cameras": {"door": {"revision": 3, "detect": False, "fps": 2.5}, "yard": {"revision": 4}},
        },
    ),
]  # fmt: skip
kinds = pytest.mark.parametrize(("kind", "payload"), VALID, ids=[kind.__name__ for kind, _ in VALID])


@kinds
def test_a_message_survives_json(kind, payload):
    message = kind.model_validate_json(json.dumps(payload))
    assert kind.model_validate_json(message.model_dump_json()) == message


@kinds
def test_an_unknown_field_is_ignored(kind, payload):
    later = json.dumps({**payload, "invented_later": {"deep": [1, 2]}})
    assert kind.model_validate_json(later) == kind.model_validate_json(json.dumps(payload))


@kinds
def test_a_message_without_its_first_field_is_refused(kind, payload):
    first = next(iter(payload))
    with pytest.raises(ValidationError, match=first):
        kind.model_validate_json(json.dumps({name: value for name, value in payload.items() if name != first}))


@kinds
@pytest.mark.parametrize("text", ["", "null", "[]", "7", '"online"', "{", "\x00"])
def test_json_of_another_form_is_refused(kind, payload, text):  # noqa: ARG001
    with pytest.raises(ValidationError):
        kind.model_validate_json(text)


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        (NodeState, {"node": "PI 1"}),
        (NodeState, {"node": "a/b"}),
        (NodeState, {"state": "asleep"}),
        (NodeState, {"protocol": "one"}),
        (TaskAnnouncement, {"waiting": -1}),
        (TaskAnnouncement, {"waiting": "many"}),
        (TaskAnnouncement, {"opened": {"frame": "f"}}),
        (TaskAnnouncement, {"overdue": -1}),
        (TaskAnnouncement, {"near": {"pi-2": "many"}}),
        (TaskAnnouncement, {"near": {f"pi-{number}": 1 for number in range(1001)}}),
        (NodeState, {"port": 70000}),
        (NodeState, {"port": -1}),
        (NodeState, {"host": "10.0.0.1\x00"}),
        (NodeState, {"host": "a host"}),
        (NodeState, {"host": "x" * 129}),
        (NodeState, {"protocol": 2**63}),
        (NodeState, {"version": "9" * 101}),
        (Grant, {"port": 70000}),
        (Grant, {"host": "10.0.0.1\n"}),
        (Grant, {"victim": "a/b"}),
        (CameraAssignment, {"port": 65536}),
        (CameraAssignment, {"cameras": {"Front Door": {"revision": 1}}}),
        (CameraAssignment, {"cameras": {"door": {"revision": 1, "fps": -1}}}),
        (TaskAnnouncement, {"near": {"a/b": 1}}),
        (TaskAnnouncement, {"waiting": 2**63}),
        (TileDone, {"frame": "a/b"}),
        (TileDone, {"compute_ms": -1}),
        (TileDone, {"fetch_bytes_per_s": float("inf")}),
        (TileDone, {"strips": [0, 1, 2, 3, 4]}),
        (FrameDone, {"frame": "x" * 129}),
        (NodeStats, {"bytes": {f"kind-{number}": 1 for number in range(33)}}),
        (NodeStats, {"bytes": {"x" * 33: 1}}),
        (NodeStats, {"bytes": {"mqtt": -1}}),
        (NodeStats, {"cameras": [f"door-{number}" for number in range(257)]}),
        (NodeStats, {"cameras": ["<script>"]}),
        (NodeStats, {"load": float("nan")}),
        (NodeStats, {"unreached": [{"host": "10.0.0.1", "port": 70000, "reason": ""}]}),
        (NodeStats, {"unreached": [{"host": "10.0.0.1", "port": 7, "reason": "x" * 201}]}),
        (NodeState, {"identity": {"device": "x" * 101}}),
        (Plan, {"gateway_port": 70000}),
        (Plan, {"gateway_host": "a\x00"}),
        (NodeStats, {"temperature": 1e9}),
        (NodeStats, {"tiles": {"own": -1, "stolen": 0}}),
        (CameraStats, {"node": "\x1b[2J"}),
        (CameraStats, {"fps": 1e300}),
        (StealRequest, {"epoch": None}),
        (StealRequest, {"idle": "soon"}),
        (Grant, {"port": "http"}),
        (TileDone, {"tile": 1.5}),
        (TileDone, {"compute_ms": "fast"}),
        (TileDone, {"macs": 1.5}),
        (TileDone, {"strips": ["all"]}),
        (FrameDone, {"outcome": "eaten"}),
        (Plan, {"stages": []}),
        (Plan, {"stages": PLAN["stages"] * (MAX_STAGES + 1)}),
        (Plan, {"stages": [{**PLAN["stages"][0], "tiles": []}]}),
        (Plan, {"stages": [{**PLAN["stages"][0], "working_bytes": 0}]}),
        (Plan, {"stages": [{**PLAN["stages"][0], "joints": [{"channels": 0}]}]}),
        (Plan, {"stages": [{**PLAN["stages"][0], "joints": [{"channels": 3, "dtype": "object"}]}]}),
        (Plan, {"stages": [{**PLAN["stages"][0], "reusing": [{**TILE, "taken": [[0, 0, 1]]}]}]}),
        (Plan, {"distribution": "begging"}),
        (Plan, {"pixels": "float16"}),
        (Plan, {"input": [416]}),
        (Plan, {"preprocessing": {"channels": "grey"}}),
        (CameraStats, {"counts": {"captured": -1}}),
        (CameraStats, {"counts": {"dropped": {"unheard_of": 1}}}),
        (CameraStats, {"state": "tired"}),
        (CameraStats, {"reason": "x" * (MAX_REASON_LENGTH + 1)}),
        (CameraStats, {"fps": -1}),
        (CameraStats, {"width": -1}),
        (NodeStats, {"load": "heavy"}),
        (NodeStats, {"temperature": "warm"}),
        (CameraAssignment, {"node": "a/b"}),
        (CameraAssignment, {"port": "http"}),
        (CameraAssignment, {"cameras": {"door": {}}}),
        (CameraAssignment, {"cameras": {"door": {"revision": 3, "fps": "fast"}}}),
        (CameraAssignment, {"cameras": {f"camera-{number}": {"revision": 1} for number in range(257)}}),
    ],
)
def test_a_field_of_a_wrong_kind_is_refused(kind, change):
    payload = dict(VALID)[kind]
    with pytest.raises(ValidationError, match=next(iter(change))):
        kind.model_validate_json(json.dumps({**payload, **change}))


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity"])
def test_a_time_that_is_no_number_is_refused(value):
    with pytest.raises(ValidationError, match="finite number"):
        TileDone.model_validate_json(f'{{"frame": "f", "tile": 0, "worker": "w", "compute_ms": {value}}}')


@pytest.mark.parametrize("sha256", ["", "0" * 63, "0" * 65, "G" * 64, "A" * 64, "../" + "0" * 61])
def test_a_program_is_named_by_a_hash_and_nothing_else(sha256):
    plan = json.loads(json.dumps(PLAN))
    plan["stages"][0]["program"]["sha256"] = sha256
    with pytest.raises(ValidationError, match="sha256"):
        Plan.model_validate(plan)


def test_an_unknown_field_inside_a_plan_is_ignored():
    plan = {**PLAN, "preprocessing": {**PLAN["preprocessing"], "invented_later": 1}}
    assert Plan.model_validate(plan) == Plan.model_validate(PLAN)


def test_a_plan_of_many_stages_survives_json():
    stages = [STAGE, *[BEHIND] * (MAX_STAGES - 1)]
    plan = Plan.model_validate({**PLAN, "stages": stages, "distribution": "sharing"})
    assert plan.distribution is Distribution.SHARING
    assert Plan.model_validate_json(plan.model_dump_json()) == plan


def test_a_plan_with_reuse_survives_json():
    strip = [0, 2, 1, 3, 4, 5, 6, 1, 0]
    given = [0, 2, 0, *strip[3:]]
    stage = {
        **STAGE, "tiles": [TILE, {**TILE, "given": [given]}], "joints": [{"channels": 3, "dtype": "uint8"}],
        "reusing": [{**TILE, "taken": [strip]}, None],
    }  # fmt: skip
    plan = Plan.model_validate({**PLAN, "stages": [stage]})
    assert plan.stages[0].reusing == (TilePlan.model_validate({**TILE, "taken": [strip]}), None)
    assert Plan.model_validate_json(plan.model_dump_json()) == plan


def test_a_frame_has_as_many_tasks_as_each_stage_has_tiles():
    stages = [{**stage, "tiles": stage["tiles"] * 6} for stage in (STAGE, BEHIND)]
    assert Plan.model_validate({**PLAN, "stages": stages}).tile_count == 6


def test_who_says_nothing_of_it_is_idle_and_has_no_overdue_tasks():
    assert TaskAnnouncement(node="pi-1", epoch=3, waiting=9).overdue == 0
    assert StealRequest(node="pi-1", epoch=3).idle


def test_messages_cannot_be_changed():
    message = NodeState(node="pi-1", state=State.ONLINE, protocol=1)
    with pytest.raises(ValidationError, match="frozen"):
        message.node = "pi-2"  # type: ignore[misc, unused-ignore]


def test_detections_are_readable_by_people():
    payload = {
        "camera": "door", "frame": "f", "number": 0, "captured_at": 1.0, "published_at": 2.0,
        "latency_ms": {"total": 1, "transfer": 1, "prepare": 1, "tiles": 1, "order": 1, "tail": 1, "decode": 1},
        "model": "m", "grid": "3x3", "image": [768, 576], "nodes": {"pi-1": {"own": 9, "stolen": 0}}, "duplicates": 0,
        "objects": [{"label": "person", "score": 0.5, "box": [1, 2, 3, 4], "box_rel": [0.1, 0.2, 0.3, 0.4]}],
    }  # fmt: skip
    assert json.loads(FrameDetections.model_validate(payload).model_dump_json()) == payload
