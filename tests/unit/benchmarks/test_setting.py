from __future__ import annotations

import json

import pytest

from benchmarks.experiments import Scope, all_settings
from benchmarks.setting import BenchSetting, Measurement
from tests.unit.benchmarks.made_up import MB, frame, measurement


def of(*frames, **more):
    return measurement(frames=frames, **more)


def test_the_first_two_frames_of_every_camera_are_not_steady():
    frames = [frame(number, camera=camera) for camera in ("a", "b") for number in range(4)]
    steady = of(*reversed(frames)).steady  # frames come in any order
    assert sorted((f.camera, f.number) for f in steady) == [("a", 2), ("a", 3), ("b", 2), ("b", 3)]


def test_first_frames_are_those_that_came_not_numbers_0_and_1():
    assert [f.number for f in of(*(frame(number) for number in (3, 5, 8, 9))).steady] == [8, 9]


def test_with_two_frames_both_count():
    assert [f.number for f in of(frame(0), frame(1)).steady] == [0, 1]


def test_latencies_are_medians_of_steady_frames():
    measured = of(*(frame(number, fused_s) for number, fused_s in enumerate([9, 9, 1, 2, 7])))
    assert (measured.fused_s, measured.total_s) == (2, pytest.approx(2.1))


def test_the_largest_latency_is_the_largest_of_the_cameras_medians_not_of_their_frames():
    quick = [frame(number, fused_s, "quick") for number, fused_s in enumerate([1, 1, 1, 1, 50])]
    slow = [frame(number, fused_s, "slow") for number, fused_s in enumerate([1, 1, 3, 4, 5])]
    assert of(*quick, *slow).largest_fused_s == 4


def test_frames_a_second_of_one_camera():
    measured = of(*(frame(number, at=100 + 0.5 * number) for number in range(6)))
    assert measured.frames_per_s == pytest.approx(2.0)


def test_frames_a_second_are_counted_only_while_all_cameras_run():
    early = [frame(number, camera="early", at=number) for number in range(12)]  # steady from 2 to 11
    late = [frame(number, camera="late", at=4 + 2 * number) for number in range(6)]  # steady from 8 to 14
    measured = of(*early, *late)
    # From 8 to 11: those of 9, 10, 11 and of 10.
    assert measured.frames_per_s == pytest.approx(4 / 3)


@pytest.mark.parametrize(
    "frames",
    [
        [frame(0)],
        [frame(number, camera=camera, at=number + far) for number in range(4) for camera, far in (("a", 0), ("b", 99))],
    ],
    ids=["one frame", "cameras that never ran together"],
)
def test_without_time_in_common_no_throughput_is_claimed(frames):
    assert of(*frames).frames_per_s == 0


def test_bytes_are_of_the_interfaces_where_there_are_any():
    measured = of(*(frame(number) for number in range(4)), interface_bytes=8 * MB, accounted_bytes={"result": MB})
    assert measured.bytes_per_frame == 2 * MB


def test_bytes_are_by_our_own_account_where_there_are_no_interfaces():
    accounted = {"result": 3 * MB, "mqtt": MB}
    measured = of(*(frame(number) for number in range(4)), interface_bytes=None, accounted_bytes=accounted)
    assert measured.bytes_per_frame == MB


def test_interfaces_that_carried_nothing_are_believed():
    assert of(frame(0), interface_bytes=0, accounted_bytes={"result": MB}).bytes_per_frame == 0


def test_the_stolen_share_is_of_all_tiles():
    assert of(frame(0, tiles=9, stolen=6), frame(1, tiles=16, stolen=4)).stolen_share == pytest.approx(0.4)


def test_a_measurement_comes_back_from_json_as_it_was():
    setting = BenchSetting("ftp-wst-s", "5x5", edges=3, sources=2, link_mbit=12.5, shared_medium=True, pixels="float32")
    measured = measurement(setting, dropped={"late": 2}, interface_bytes=None, shaped=False)
    assert Measurement.from_json(json.loads(json.dumps(measured.to_json()))) == measured


@pytest.mark.parametrize(
    ("setting", "text"),
    [
        (BenchSetting("ftp-wst", edges=2), "ftp-wst 3x3, 2 edges, 100 Mbit/s"),
        (BenchSetting("bodp", edges=4, sources=3), "bodp, 4 edges, 3 sources, 100 Mbit/s"),
        (BenchSetting("whole", "1x1", link_mbit=2.5, shared_medium=True), "whole, 1 edges, shared 2.5 Mbit/s"),
        (BenchSetting("ftp-wsh", pixels="float32"), "ftp-wsh 3x3, 1 edges, 100 Mbit/s, float32 pixels"),
        (BenchSetting("bodp", edge_cpu=0.06), "bodp, 1 edges, 0.06 of a core each, 100 Mbit/s"),
        (BenchSetting("bodp", workload="built-in"), "bodp, 1 edges, 100 Mbit/s, built-in network"),
    ],
)
def test_a_setting_is_told_in_words(setting, text):
    assert setting.text == text


def test_no_two_settings_of_a_campaign_are_told_alike():
    """Logs and failures are kept by this text."""
    wanted = all_settings(Scope())
    assert len({setting.text for setting in wanted}) == len(wanted)
