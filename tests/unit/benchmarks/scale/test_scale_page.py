from __future__ import annotations

import io

import pytest
from rich.console import Console

from benchmarks.figures import DrawnFigure
from benchmarks.scale.bench_group import ScaleScope
from benchmarks.scale.scale_campaign import ScaleCampaign
from benchmarks.scale.scale_figures import draw_scale
from benchmarks.scale.scale_page import scale_page, scale_table
from benchmarks.scale.scale_rows import ScaleResult, latency_result, throughput_result

MEMORY = {"gateway": 193.0, "edge": 78.0, "further camera": 65.0}


@pytest.fixture
def campaign(tmp_path):
    found = ScaleCampaign(ScaleScope(tmp_path, quick=True), {"processor": "a processor", "cores": 2})
    camera = latency_result("one-camera", 0.22, 0.1, 0.08, 1.1, "the worst")
    camera.figures["by_edges"] = {"1": 0.22, "6": 0.0}
    found.results = {
        result.row: result
        for result in (
            camera,
            latency_result("thin-link", 0.0, 0.1, 0.08, 1.05, "none"),
            throughput_result("built-in", 8.3, 37.0, 40.0, 0.9, "quiet"),
            ScaleResult("memory", "193 / 78 / 65 MB", figures={"memory": MEMORY, "goals": MEMORY}),
        )
    }
    found.failures = {"age": "late"}
    return found


def test_the_page_has_a_line_for_each_row_and_what_is_missing(campaign):
    page = scale_page(campaign, [DrawnFigure("throughput.png", "Frames a second")])
    assert (
        "| built-in network, 6 cameras on 6 edges, of the edges alone | >= 90 % | 8.30 frames/s | 37.0 frames/s | "
        "40.0 frames/s | 0.22 | no | 21 % of session.run; quiet; others used 0.0 cores |"
    ) in page
    assert "`deepthings bench scale --quick`" in page
    assert "a processor (2 cores), with the gateway's method by its own choice" in page
    assert "![Frames a second](throughput.png)" in page
    assert "- YOLOv2-608, 6 cameras, age of the oldest frame against one device's latency: late" in page
    assert page.index("6 cameras on 6 edges") < page.index("one camera, latency") < page.index("proportional memory")


def test_a_machine_that_was_not_quiet_is_said_to_be(campaign):
    assert "Not quiet" not in scale_page(campaign, [])
    busy = throughput_result("yolov2", 1.0, 2.0, 2.0, 0.95, "", others_cores=1.5)
    campaign.results["yolov2"] = busy
    assert "> **Not quiet.** Other programs of this machine used up to 1.5 cores" in scale_page(campaign, [])


def test_the_table_has_the_rows_that_were_not_measured(campaign):
    console = Console(width=200, file=io.StringIO(), record=True)
    console.print(scale_table(campaign))
    text = console.export_text()
    assert "8.30 frames/s" in text
    assert "not measured: late" in text


def test_figures_are_drawn_of_what_was_measured(campaign, tmp_path):
    drawn = draw_scale(campaign.results, tmp_path)
    assert [picture.file for picture in drawn] == ["throughput.png", "latency.png", "one-camera.png", "memory.png"]
    assert all((tmp_path / picture.file).stat().st_size > 5_000 for picture in drawn)
    assert draw_scale({}, tmp_path) == []
