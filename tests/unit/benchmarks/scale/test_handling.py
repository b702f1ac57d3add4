from __future__ import annotations

import pytest

from benchmarks.scale.bare_figures import BareFigures
from benchmarks.scale.cluster_window import ClusterWindow
from benchmarks.scale.handling import handling_result, reference_ms, tail_share
from gateway.models.catalogue import DEFAULT_MODEL, open_model

LOOP, SESSION = BareFigures(10, 40.0, 0.025, 24.0), BareFigures(10, 50.0, 0.02, 20.0)


def plan(layers):
    return {"stages": [{"layers": layers, "grid": "3x3"}]}


def window(owner_s, gateway_s):
    frames = [
        {
            "camera": "a", "number": number, "published_at": 1.0 + number,
            "latency_ms": {"total": 1.0, "transfer": 0.0},
            "nodes": {"edge-1": {"own": 9, "stolen": 0}},
        }
        for number in range(2)
    ]  # fmt: skip
    return ClusterWindow.cut(frames, (0.0, 5.0), {"edge-1": owner_s, "gateway": gateway_s}, ["a"], {}, 1.0)


@pytest.mark.parametrize(
    ("tail", "computed", "needed"),
    [(0.0, 0.0, (24.0, 0.0)), (0.25, 0.0, (19.0, 5.0)), (0.0, 0.5, (14.0, 10.0)), (0.5, 0.5, (9.0, 15.0))],
)
def test_the_reference_needs_the_same_wherever_it_runs(tail, computed, needed):
    assert reference_ms(LOOP, SESSION, tail, computed) == pytest.approx(needed)


def test_a_plan_of_all_layers_has_no_tail_and_the_built_in_cut_has_one():
    count = len(open_model(DEFAULT_MODEL).network.layers)
    assert tail_share(DEFAULT_MODEL, plan(count)) == 0
    assert 0.1 < tail_share(DEFAULT_MODEL, plan(20)) < 0.9


def test_what_is_beyond_the_reference_is_handling():
    count = len(open_model(DEFAULT_MODEL).network.layers)
    result = handling_result(window(0.050, 0.002), DEFAULT_MODEL, plan(count), LOOP, SESSION, "edge-1")
    assert (result.measured, result.reached) == ("1.0 / 1.0 core-ms", True)
    dear = handling_result(window(0.060, 0.002), DEFAULT_MODEL, plan(count), LOOP, SESSION, "edge-1")
    assert (dear.measured, dear.reached) == ("6.0 / 1.0 core-ms", False)


def test_without_frames_there_is_no_handling():
    empty = ClusterWindow.cut([], (0.0, 5.0), {"edge-1": 1.0, "gateway": 1.0}, ["a"], {}, 1.0)
    assert handling_result(empty, DEFAULT_MODEL, plan(20), LOOP, SESSION, "edge-1").reached is False
