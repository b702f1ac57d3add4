from __future__ import annotations

import json

import pytest

from shared.errors import ProtocolError
from shared.payloads.cluster import MAX_REASON_LENGTH, CameraStats, State
from shared.payloads.frames import FrameCounts
from shared.wire.camera_headers import ControlHeader, ReportHeader
from shared.wire.codec import MessageKind
from shared.wire.headers import HEADERS

COUNTS = {"captured": 3, "published": 1, "dropped": {"superseded": 1}}


def test_a_report_of_an_agent_that_says_nothing_of_its_camera_is_read():
    report = ReportHeader.decode(json.dumps({"counts": COUNTS}).encode())
    assert report == ReportHeader(counts=FrameCounts(**COUNTS))
    assert (report.state, report.reason, report.fps, report.width, report.height) == (None, "", 0, 0, 0)


def test_stats_of_an_edge_that_says_nothing_of_its_camera_are_read():
    stats = CameraStats.model_validate({"camera": "front", "node": "edge-1", "counts": COUNTS})
    assert (stats.state, stats.reason, stats.fps, stats.width, stats.height) == (None, "", 0, 0, 0)


def test_a_report_survives_the_wire():
    report = ReportHeader(
        counts=FrameCounts(**COUNTS),
        state=State.OFFLINE,
        reason="r" * MAX_REASON_LENGTH,
        fps=12.5,
        width=640,
        height=480,
    )
    assert ReportHeader.decode(report.encode()) == report


@pytest.mark.parametrize(
    "control",
    [ControlHeader(), ControlHeader(detect=False), ControlHeader(fps=0.5), ControlHeader(detect=True, fps=240)],
)
def test_a_control_survives_the_wire(control):
    assert HEADERS[MessageKind.CONTROL].decode(control.encode()) == control


@pytest.mark.parametrize(
    ("header", "change", "place"),
    [
        (ReportHeader, {"state": "asleep"}, "state"),
        (ReportHeader, {"reason": "r" * (MAX_REASON_LENGTH + 1)}, "reason"),
        (ReportHeader, {"fps": -1}, "fps"),
        (ReportHeader, {"width": -1}, "width"),
        (ControlHeader, {"detect": "perhaps"}, "detect"),
        (ControlHeader, {"fps": 0}, "fps"),
        (ControlHeader, {"fps": 241}, "fps"),
    ],
)
def test_a_field_that_cannot_be_is_refused_by_name(header, change, place):
    with pytest.raises(ProtocolError, match=rf"{header.kind.name}: {place}: "):
        header.decode(json.dumps({"counts": COUNTS, **change}).encode())
