import pytest

from shared.metrics.metric_families import Histogram, HistogramCounts, Metric, metrics_text


def lines(*metrics):
    return [line for line in metrics_text(metrics).decode().splitlines() if "deepthings" in line]


def test_a_counter_ends_in_total_and_has_its_labels():
    found = lines(Metric("deepthings_tiles", "Tiles.", "counter", [({"node": "attic", "kind": "own"}, 3)]))
    assert found == [
        "# HELP deepthings_tiles_total Tiles.", "# TYPE deepthings_tiles_total counter",
        'deepthings_tiles_total{kind="own",node="attic"} 3.0',
    ]  # fmt: skip


def test_what_has_no_value_is_not_there():
    assert lines(Metric("deepthings_x", "X.", "gauge", [])) == []


def test_the_buckets_of_a_histogram_are_cumulated():
    counts = HistogramCounts([1, 2, 3], 4.5)
    found = lines(Histogram("deepthings_s", "S.", (0.1, 1.0), [({"camera": "door"}, counts)]))
    assert [line.rpartition(" ")[2] for line in found if "_bucket" in line] == ["1.0", "3.0", "6.0"]
    assert found[-2:] == ['deepthings_s_count{camera="door"} 6.0', 'deepthings_s_sum{camera="door"} 4.5']


@pytest.mark.parametrize("name", ['a"b', "a\\b", "a\nb"])
def test_a_name_cannot_write_lines_of_its_own(name):
    (sample,) = [each for each in lines(Metric("deepthings_x", "X.", "gauge", [({"n": name}, 1)])) if "#" not in each]
    assert sample.endswith("} 1.0")


def test_the_process_tells_its_own_memory():
    assert b"process_resident_memory_bytes" in metrics_text([])
