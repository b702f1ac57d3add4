from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.tracing.cluster_trace import ClusterTrace
from shared.tracing.frame_path import BETWEEN, find_path
from shared.tracing.spans import Part
from shared.tracing.trace_summary import percentile_90, summarise_trace
from shared.tracing.trace_text import trace_lines
from tests.unit.shared.tracing.traces import FRAME, GATEWAY, cluster_trace, span


def steps(trace):
    return trace.frames()[FRAME]


def test_the_latency_is_divided_by_what_happened_to_the_last_tile():
    path = find_path(FRAME, steps(cluster_trace()))
    assert path.latency_s == pytest.approx(0.1)
    parts = {part: round(took * 1e3, 6) for part, took in path.parts.items()}
    assert parts == {
        "capture": 5, "transfer": 3, "prepare": 2, "wait for a device": 20, "fetch": 5, "compute": 40, "send": 2,
        BETWEEN: 3, "merge": 1, "wait for the tail": 1, "tail": 10, "decode": 2, "publish": 6,
    }  # fmt: skip
    assert {each.tile for _, each in path.steps} == {None, 1}


def test_a_second_result_that_came_after_the_frame_was_complete_does_not_count():
    late = span(Part.MERGE, 85, 86, 0)
    path = find_path(FRAME, steps(cluster_trace(gateway=[*GATEWAY, late])))
    assert {each.tile for _, each in path.steps} == {None, 1}


def test_a_frame_that_was_not_published_or_not_captured_in_this_time_has_no_path():
    trace = cluster_trace(gateway=[each for each in GATEWAY if each.part != Part.PUBLISH])
    assert find_path(FRAME, steps(trace)) is None
    assert find_path(FRAME, [("gateway", each) for each in GATEWAY]) is None


any_span = st.builds(
    lambda part, begin, took, tile: span(part, begin, begin + took, tile),
    st.sampled_from(list(Part)), st.integers(1, 200), st.integers(0, 60), st.none() | st.integers(0, 2),
)  # fmt: skip


@given(st.lists(any_span, max_size=20))
def test_the_parts_always_add_up_to_the_latency(spans):
    found = [("gateway", each) for each in [span(Part.CAPTURE, 0, 1), *spans, span(Part.PUBLISH, 250, 300)]]
    path = find_path(FRAME, found)
    assert path is not None
    assert sum(path.parts.values()) == pytest.approx(path.latency_s)
    assert all(took >= 0 for took in path.parts.values())


def test_a_summary_has_medians_and_the_processor_time_of_each_node():
    summary = summarise_trace(cluster_trace())
    assert (summary.frames, summary.cameras, summary.latency_median_ms) == (1, ("door",), 100.0)
    assert list(summary.parts) == [
        "capture", "transfer", "prepare", "wait for a device", "fetch", "compute", "send", "merge",
        "wait for the tail", "tail", "decode", "publish", "track",
    ]  # fmt: skip
    compute = summary.parts["compute"]
    assert (compute.spans, compute.median_ms, compute.p90_ms, compute.of_latency_ms, compute.cpu_ms) == (
        2,
        30,
        40,
        40,
        56,
    )
    assert summary.parts["fetch"].cpu_ms is None
    assert summary.nodes["shed"].parts_cpu_ms == {"capture": 3, "prepare": 1, "compute": 18}
    assert summary.nodes["gateway"].process_cpu_ms == pytest.approx(1.0 / 50 * 0.1 * 1e3)
    assert summary.nodes["shed"].process_cpu_ms is None
    assert list(summary.slowest.parts_ms)[:2] == ["compute", "wait for a device"]


def test_it_is_told_in_words():
    text = "\n".join(trace_lines(summarise_trace(cluster_trace())))
    assert "1 frames of door in 0.1 s" in text
    assert "the slowest frame, door-1a2b-000007: 100 ms, most of it compute 40.0, wait for a device 20.0" in text
    assert "35.0 ms  attic: compute (tile 1), 40.0 ms" in text
    assert "shed: capture 3.0, prepare 1.0, compute 18.0" in text


def test_nothing_and_missing_nodes_are_told():
    trace = ClusterTrace(missing={"hall": "it is off"})
    assert list(trace_lines(summarise_trace(trace))) == [
        "hall is missing in this trace: it is off",
        "no frame was published in this time",
    ]


def test_nine_of_ten():
    assert percentile_90(range(1, 11)) == 9
    assert percentile_90([5]) == 5
