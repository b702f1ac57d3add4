from __future__ import annotations

import itertools
import json
from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from shared.tracing.cluster_trace import ClusterTrace
from shared.tracing.spans import Part
from shared.tracing.trace_events import trace_events
from tests.unit.shared.tracing.traces import FRAME, cluster_trace, span

any_span = st.builds(
    lambda part, begin, took, tile, frame: span(part, begin, begin + took, tile, 1.0, f"door-1-{frame:06d}"),
    st.sampled_from([*Part, "fold"]), st.integers(0, 200), st.integers(0, 60), st.none() | st.integers(0, 3),
    st.integers(0, 3),
)  # fmt: skip


def events(trace, *phases):
    written = json.loads(json.dumps(trace_events(trace)))  # what a file holds
    return [event for event in written["traceEvents"] if event["ph"] in phases]


@given(st.dictionaries(st.sampled_from(["gateway", "shed", "attic"]), st.lists(any_span, max_size=25)))
def test_any_trace_gives_valid_events(spans):
    trace = ClusterTrace({node: sorted(found, key=lambda each: each.begin) for node, found in spans.items()})
    slices, arrows = events(trace, "X"), events(trace, "s", "f")
    assert len(slices) == sum(map(len, spans.values()))
    for event in slices:
        assert event["dur"] >= 0
        assert event["ts"] >= 0
        assert {"pid", "tid", "name", "cat"} <= set(event)
        assert {"frame", "camera", "cpu_ms"} <= set(event["args"])
    order = [event["ts"] for event in events(trace, "X", "s", "f")]
    assert order == sorted(order)
    named = {(event["pid"], event["tid"]) for event in events(trace, "M") if event["name"] == "thread_name"}
    assert {(event["pid"], event["tid"]) for event in slices} == named
    check_lanes(slices)
    check_arrows(slices, arrows)


def check_lanes(slices):
    """Slices of one lane follow each other: viewers would draw overlapping ones as if one called the other."""
    lanes = defaultdict(list)
    for event in slices:
        lanes[event["pid"], event["tid"]].append(event)
    for found in lanes.values():
        assert len({event["name"] for event in found}) == 1
        for before, after in itertools.pairwise(found):
            assert before["ts"] + before["dur"] <= after["ts"] + 0.2


def check_arrows(slices, arrows):
    """Each arrow has a begin within a slice of one node, and an end, not earlier, within one of another."""
    ends = defaultdict(list)
    for event in arrows:
        ends[event["id"]].append(event)
        assert any(
            each["ts"] <= event["ts"] + 0.2 and event["ts"] <= each["ts"] + each["dur"] + 0.2
            for each in slices
            if (each["pid"], each["tid"]) == (event["pid"], event["tid"])
        )
    for found in ends.values():
        by_phase = {event["ph"]: event for event in found}
        assert set(by_phase) == {"s", "f"}
        assert by_phase["s"]["ts"] <= by_phase["f"]["ts"]
        assert by_phase["s"]["pid"] != by_phase["f"]["pid"]


def test_a_frame_is_followed_from_the_owner_to_the_thief_and_to_the_gateway():
    trace = cluster_trace()
    nodes = {event["pid"]: event["args"]["name"] for event in events(trace, "M") if event["name"] == "process_name"}
    ways = defaultdict(list)
    for event in events(trace, "s", "f"):
        ways[event["id"]].append(nodes[event["pid"]])
    assert sorted(map(tuple, ways.values())) == [
        ("attic", "gateway"), ("shed", "attic"), ("shed", "gateway"), ("shed", "gateway"),
    ]  # fmt: skip


def test_a_slice_says_what_it_was():
    (stolen,) = [each for each in events(cluster_trace(), "X") if each["name"] == "fetch"]
    assert (stolen["ts"], stolen["dur"]) == (30_000.0, 5_000.0)
    assert stolen["args"] == {"frame": FRAME, "camera": "door", "tile": 1}


def test_an_empty_trace_has_no_events():
    assert trace_events(ClusterTrace()) == {"traceEvents": [], "displayTimeUnit": "ms"}
