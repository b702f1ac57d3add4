from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from shared.payloads.bridge import BridgeEvent, BridgeEventType, BridgeHealth, BridgeInfo, Response

INFO: dict[str, Any] = {
    "version": "1.0", "protocol": 4, "topic_prefix": "deepthings", "model": "nanodet-g", "labels": ["person", "car"],
    "plan": {"epoch": 3, "method": "ftp-wst", "grid": "3x3", "cut": ["concat_28"], "tiles": 9, "work": 1.5},
    "predicted": [
        {
            "plan": "staged 2x3 in 4 stages up to layer_24, layer_26", "devices": ["pi-1", "pi-2"], "latency_s": 1.5,
            "frames_per_s": 2.5, "frame_bytes": 4000000, "memory_bytes": 180000000, "limit": "computing on pi-2",
            "refused": "", "used": True, "measured_s": 1.6,
        },
    ],
    "planned_devices": [
        {
            "name": "pi-1", "macs_per_s": 5e9, "bytes_per_s": 12.5e6, "memory_bytes": 400000000,
            "kernels": {"depthwise": 4.5},
        },
    ],
    "cameras": ["door"],
    "home_assistant": True, "cluster_host": "10.0.0.1", "cluster_port": 7883, "data_port": 7884, "insecure": False,
    "page_host": "10.0.0.1", "page_port": 8095,
}  # fmt: skip
HEALTH: dict[str, Any] = {
    "at": 1.5, "up_s": 60.0, "frames_per_s": 2.5, "published": 150, "dropped": 3, "nodes_online": 2,
    "cameras_online": 0,
    "cameras": 1, "problems": ["camera door: no route"], "public_frames_dropped": 0,
    "frame_time": {
        "total_ms": 310.0, "camera_ms": 4.0, "preparing_ms": 1.0, "waiting_ms": 190.0, "computing_ms": 80.0,
        "transfers_ms": 25.0, "finishing_ms": 10.0,
    },
}  # fmt: skip
EVENT: dict[str, Any] = {"type": "camera_lost", "name": "door", "reason": "no route", "at": 1.5}
RESPONSE: dict[str, Any] = {
    "command": "restart_camera", "ok": False, "error": "no camera", "data": {"camera": "door"}, "transaction": "4711",
}  # fmt: skip
VALID: list[tuple[type[Any], dict[str, Any]]] = [
    (BridgeInfo, INFO), (BridgeHealth, HEALTH), (BridgeEvent, EVENT), (Response, RESPONSE),
]  # fmt: skip
kinds = pytest.mark.parametrize(("kind", "payload"), VALID, ids=[kind.__name__ for kind, _ in VALID])


@kinds
def test_a_payload_has_every_field_and_no_other(kind, payload):
    assert set(payload) == set(kind.model_fields)
    assert json.loads(kind.model_validate_json(json.dumps(payload)).model_dump_json()) == payload


@kinds
def test_an_unknown_field_is_ignored(kind, payload):
    later = json.dumps({**payload, "invented_later": [1]})
    assert kind.model_validate_json(later) == kind.model_validate_json(json.dumps(payload))


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        (BridgeInfo, {"plan": {"epoch": 3}}),
        (BridgeInfo, {"labels": "person"}),
        (BridgeHealth, {"nodes_online": 1.5}),
        (BridgeHealth, {"at": float("nan")}),
        (BridgeEvent, {"type": "camera_tired"}),
        (BridgeEvent, {"at": None}),
        (Response, {"ok": "perhaps"}),
        (Response, {"transaction": [1]}),
        (Response, {"data": [1]}),
    ],
)
def test_a_field_of_a_wrong_kind_is_refused(kind, change):
    with pytest.raises(ValidationError, match=next(iter(change))):
        kind.model_validate({**dict(VALID)[kind], **change})


@pytest.mark.parametrize("transaction", ["4711", "", 7, 0, None])
def test_a_transaction_comes_back_as_it_was_said(transaction):
    response = Response(command="info", ok=True, transaction=transaction)
    assert json.loads(response.model_dump_json())["transaction"] == transaction


def test_what_happens_to_a_node_or_camera_has_a_word_for_each_direction():
    assert {str(kind) for kind in BridgeEventType} >= {"node_joined", "node_lost", "camera_lost", "camera_back"}
