from __future__ import annotations

import pytest

from benchmarks.scale.bare_figures import BareFigures, drift, mean_figures, sum_of_rates


def figures(rate, frames=10, latency=0.1, core_ms=20.0):
    return BareFigures(frames, rate, latency, core_ms)


def test_a_loop_of_frames_has_a_rate_a_median_and_processor_time_for_each():
    found = BareFigures.of([0.1, 0.3, 0.1, 0.1], 0.8, 0.2)
    assert (found.frames, found.frames_per_s, found.latency_s) == (4, 5.0, 0.1)
    assert found.core_ms == pytest.approx(50)


def test_what_was_measured_before_and_after_counts_alike():
    found = mean_figures([figures(4.0, frames=40, latency=0.2), figures(6.0, frames=60, latency=0.1, core_ms=30.0)])
    assert found == BareFigures(100, 5.0, pytest.approx(0.15), 25.0)


def test_devices_that_are_not_named_do_not_count():
    devices = {"edge-1": figures(5.0), "edge-2": figures(6.0), "gateway": figures(10.0)}
    assert sum_of_rates(devices, ["edge-1", "edge-2"]) == 11.0
    assert sum_of_rates(devices, devices) == 21.0


def test_drift_is_the_change_of_the_sum():
    before, after = {"a": figures(4.0), "b": figures(6.0)}, {"a": figures(4.0), "b": figures(5.0)}
    assert drift(before, after) == pytest.approx(-0.1)
    assert drift({}, {}) == 0.0
