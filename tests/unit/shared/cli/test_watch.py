from __future__ import annotations

from shared.cli.watch import format_frame
from shared.payloads.cluster import FrameDetections


def detections(**changes):
    return FrameDetections.model_validate(
        {
            "camera": "door", "frame": "f", "number": 7, "captured_at": 1.0, "published_at": 2.0,
            "latency_ms": {"total": 123.4, "transfer": 1, "prepare": 1, "tiles": 1, "tail": 1, "decode": 1},
            "model": "m", "grid": "3x3", "image": [768, 576], "objects": [],
            "nodes": {"pi-1": {"own": 5, "stolen": 0}, "pi-2": {"own": 1, "stolen": 3}}, **changes,
        }
    )  # fmt: skip


def seen(label):
    return {"label": label, "score": 0.5, "box": [1, 2, 3, 4], "box_rel": [0, 0, 1, 1]}


def test_a_line_says_what_was_seen_most_often_first():
    line = format_frame(detections(objects=[seen("car"), seen("person"), seen("person")]))
    assert "door #7: 2 person, 1 car |" in line


def test_a_line_says_that_nothing_was_seen():
    assert "door #7: nothing |" in format_frame(detections())


def test_a_line_says_how_long_it_took_and_who_did_it():
    assert format_frame(detections()).endswith("| 123 ms | tiles: pi-1 5, pi-2 4 (3 stolen)")
