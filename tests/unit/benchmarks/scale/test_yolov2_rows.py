from __future__ import annotations

import pytest

from benchmarks.scale.cluster_window import ClusterWindow
from benchmarks.scale.yolov2_rows import fairness_result


def window(*counts):
    messages = [
        {
            "camera": f"camera-{camera}", "number": number, "published_at": 1 + number / 100,
            "latency_ms": {"total": 1.0, "transfer": 0.0}, "nodes": {},
        }
        for camera, count in enumerate(counts)
        for number in range(count)
    ]  # fmt: skip
    names = [f"camera-{camera}" for camera in range(len(counts))]
    return ClusterWindow.cut(messages, (0.0, 10.0), {}, names, {}, 0.0)


@pytest.mark.parametrize(
    ("counts", "reached"),
    [
        ((40, 41), True),
        ((4, 4), True),
        ((40, 60), False),
        ((3, 4), None),
        ((2, 4), False),
        ((0, 1), False),
        ((0, 0), False),
    ],
)
def test_fairness_is_decided_by_more_than_one_frame(counts, reached):
    assert fairness_result(window(*counts)).reached is reached


def test_the_frames_of_each_camera_are_told():
    assert fairness_result(window(3, 4)).remark == "frames of each camera: 3, 4; too few to say more"
    assert fairness_result(window(40, 60)).measured == "40 %"
