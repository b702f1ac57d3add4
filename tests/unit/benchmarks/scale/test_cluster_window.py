from __future__ import annotations

import pytest

from benchmarks.scale.cluster_window import ClusterWindow


def message(camera, number, at, total=500.0, transfer=100.0, nodes=None):
    counts = nodes or {"edge-1": {"own": 2, "stolen": 1}}
    latency = {"total": total, "transfer": transfer}
    return {"camera": camera, "number": number, "published_at": at, "latency_ms": latency, "nodes": counts}


def window(messages, span=(10.0, 20.0), cameras=("a",), cpu=None, machine=0.0):
    return ClusterWindow.cut(messages, span, cpu or {}, cameras, {}, machine)


def test_frames_of_the_span_count_and_the_last_one_before_is_kept():
    found = window([message("a", 2, 11.0), message("a", 0, 5.0), message("a", 1, 9.0), message("a", 3, 21.0)])
    assert [frame.number for frame in found.frames] == [2]
    assert [frame.number for frame in found.earlier] == [1]


def test_a_slow_camera_is_timed_from_frame_to_frame():
    found = window([message("a", number, 9.0 + 3 * number) for number in range(5)])
    assert found.frames_per_s == pytest.approx(1 / 3)


def test_rates_of_cameras_in_step_are_not_raised_by_the_step():
    messages = [message(camera, number, 9.0 + 3 * number) for camera in "abc" for number in range(5)]
    assert window(messages, cameras=tuple("abc")).frames_per_s == pytest.approx(1.0)


def test_a_camera_that_stops_is_counted_over_the_whole_span():
    assert window([message("a", 0, 10.5), message("a", 1, 10.6)]).frames_per_s == pytest.approx(0.2)


def test_a_camera_without_frames_and_one_of_an_earlier_measurement():
    found = window([message("a", 0, 12.0), message("gone", 0, 12.0)], cameras=("a", "b"))
    assert found.counts == {"a": 1, "b": 0}
    assert found.rates["b"] == 0


def test_latency_is_the_median_and_the_oldest_is_kept_apart():
    found = window([message("a", 0, 11, 400, 100), message("a", 1, 12, 500, 100), message("a", 2, 13, 2000, 100)])
    assert found.latency_s == pytest.approx(0.5)
    assert found.oldest_s == pytest.approx(2.0)


def test_nothing_was_published():
    found = window([], cpu={"edge-1": 1.0})
    assert (found.frames_per_s, found.latency_s, found.oldest_s, found.unfairness) == (0, 0, 0, 0)
    assert found.core_ms("edge-1") is None


def test_unfairness_is_a_part_of_the_mean():
    messages = [message("a", number, 11 + number / 10) for number in range(12)]
    messages += [message("b", number, 11 + number / 10) for number in range(8)]
    assert window(messages, cameras=("a", "b")).unfairness == pytest.approx(0.4)


def test_processor_time_of_a_frame():
    found = window([message("a", 0, 11.0), message("a", 1, 12.0)], cpu={"edge-1": 0.05}, machine=5.05)
    assert found.core_ms("edge-1") == pytest.approx(25)
    assert found.core_ms("edge-2") is None
    assert found.others_cores == pytest.approx(0.5)


def test_the_part_that_a_node_computed_is_of_all_tiles():
    nodes = {"edge-1": {"own": 1, "stolen": 0}, "gateway": {"own": 0, "stolen": 3}}
    found = window([message("a", 0, 11.0, nodes=nodes)])
    assert found.share_computed_by("gateway") == pytest.approx(0.75)
    assert window([]).share_computed_by("gateway") == 0
