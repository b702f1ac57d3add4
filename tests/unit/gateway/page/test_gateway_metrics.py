import re
from pathlib import Path

from edge.status.edge_metrics import edge_metrics
from gateway.page.daily_history import LATENCY_BOUNDS_S
from gateway.page.gateway_metrics import gateway_metrics
from shared.metrics.metric_families import Histogram, HistogramCounts, metrics_text
from shared.status.cluster_facts import ClusterFacts
from tests.unit.edge.status.test_edge_metrics import STATS
from tests.unit.shared.status.clusters import ATTIC, HALL, SHED, facts_of

DOCS = Path(__file__).parents[4] / "docs"
LATENCIES = {"front_door": HistogramCounts.empty(LATENCY_BOUNDS_S)}


def all_metrics():
    attic = ATTIC.model_copy(update={"bytes": {"tcp_tile": 7}})
    return list(gateway_metrics(facts_of(attic=attic, hall=HALL, shed=SHED), LATENCIES))


def samples(name):
    (metric,) = [metric for metric in all_metrics() if metric.name == name]
    return metric.samples


def test_frames_are_counted_by_camera_node_and_reason():
    labels = {"camera": "front_door", "node": "attic"}
    assert (labels, 1270.0) in samples("deepthings_frames_published")
    assert samples("deepthings_frames_dropped") == [
        ({**labels, "reason": "deadline"}, 1.0), ({**labels, "reason": "superseded"}, 19.0),
    ]  # fmt: skip


def test_stages_are_in_seconds():
    assert ({"stage": "waiting"}, 0.19) in samples("deepthings_frame_stage_seconds")


def test_nodes_that_are_away_have_no_load():
    assert samples("deepthings_node_online") == [
        ({"node": "attic"}, 1.0),
        ({"node": "hall"}, 0.0),
        ({"node": "shed"}, 1.0),
    ]
    assert samples("deepthings_node_load_ratio") == [({"node": "attic"}, 0.52)]


def test_a_gateway_that_knows_nothing_yet_has_metrics_without_samples():
    metrics = list(gateway_metrics(ClusterFacts(), {}))
    assert all(not metric.samples for metric in metrics)
    metrics_text(metrics)


def test_the_documentation_has_each_metric_and_no_other():
    documented = set(re.findall(r"`(deepthings_\w+)`", (DOCS / "metrics.md").read_text()))
    there = set()
    for metric in [*all_metrics(), *edge_metrics(STATS, "1")]:
        counts = not isinstance(metric, Histogram) and metric.kind == "counter"
        there.add(metric.name + ("_total" if counts else ""))
    assert documented == there


def test_the_dashboard_uses_metrics_that_exist():
    used = set(re.findall(r"deepthings_\w+", (DOCS / "grafana" / "deepthings.json").read_text()))
    text = metrics_text(all_metrics()).decode()
    assert {name for name in used if f"\n{name}" not in text} == set()
    assert used
