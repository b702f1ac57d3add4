from __future__ import annotations

import pytest

from shared.payloads.bridge import FrameTime
from shared.status.frame_explanation import explain_frame_time
from tests.unit.shared.status.clusters import BUSY


def test_the_largest_parts_are_named_and_the_main_one_is_explained():
    assert explain_frame_time(BUSY) == (
        "a frame takes 310 ms: 190 ms waiting for a device, 80 ms computing, 25 ms on the links between devices; most "
        "of it is waiting for a device, as the devices are busy: fewer frames a second, or another edge, would help"
    )


@pytest.mark.parametrize(
    ("part", "cure"),
    [
        ("waiting_ms", "another edge"), ("computing_ms", "smaller network"), ("transfers_ms", "a cable"),
        ("finishing_ms", "the gateway is busy"), ("camera_ms", "sub-stream"), ("preparing_ms", "sub-stream"),
    ],
)  # fmt: skip
def test_every_part_has_a_cure(part, cure):
    zero = dict.fromkeys(FrameTime.model_fields, 0.0)
    text = explain_frame_time(FrameTime(**{**zero, "total_ms": 100.0, part: 90.0}))
    assert cure in text
    assert "10 ms other things" in text


def test_of_whole_frames_it_is_said_that_another_edge_computes_none_sooner():
    slow = BUSY.model_copy(update={"waiting_ms": 0.0, "computing_ms": 260.0})
    assert explain_frame_time(slow).endswith("computing: a smaller network or faster devices would help")
    assert "by one device" in explain_frame_time(slow, whole=True)
    assert explain_frame_time(slow, whole=True).endswith("another edge computes more frames, none sooner")
    assert explain_frame_time(BUSY, whole=True) == explain_frame_time(BUSY)


def test_where_no_part_is_the_main_one_none_is_blamed():
    even = BUSY.model_copy(update={"total_ms": 100, "waiting_ms": 35, "computing_ms": 35, "transfers_ms": 15})
    assert "most of it" not in explain_frame_time(even)


def test_nothing_is_said_about_frames_that_took_no_time():
    assert not explain_frame_time(BUSY.model_copy(update={"total_ms": 0}))
