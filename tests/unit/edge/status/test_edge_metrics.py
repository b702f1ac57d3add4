from edge.status.edge_metrics import edge_metrics
from shared.payloads.cluster import NodeStats, TileCounts

STATS = NodeStats(
    node="attic", tiles=TileCounts(own=3, stolen=2), bytes={"tcp_tile": 10}, cameras=("door",), load=0.5,
    temperature=61.5, problem="it has another release",
)  # fmt: skip


def values(stats):
    return {
        (metric.name, labels.get("kind", "")): value
        for metric in edge_metrics(stats, "1.0")
        for labels, value in metric.samples
    }


def test_the_figures_are_those_that_are_published():
    found = values(STATS)
    assert found["deepthings_edge_tiles", "own"] == 3
    assert found["deepthings_edge_tiles", "stolen"] == 2
    assert found["deepthings_edge_bytes", "tcp_tile"] == 10
    assert found["deepthings_edge_load_ratio", ""] == 0.5
    assert found["deepthings_edge_temperature_celsius", ""] == 61.5
    assert found["deepthings_edge_problem", ""] == 1.0


def test_what_is_not_known_is_missing():
    found = values(STATS.model_copy(update={"load": None, "temperature": None, "problem": ""}))
    assert ("deepthings_edge_load_ratio", "") not in found
    assert ("deepthings_edge_temperature_celsius", "") not in found
    assert found["deepthings_edge_problem", ""] == 0.0


def test_every_sample_names_the_node():
    assert all(labels["node"] == "attic" for metric in edge_metrics(STATS, "1") for labels, _ in metric.samples)
