from __future__ import annotations

import re

import pytest

from benchmarks.campaign import Campaign
from benchmarks.experiments import THIN_LINK_MBIT, Scope
from benchmarks.figures import DrawnFigure
from benchmarks.findings import Results, paper_findings
from benchmarks.page import Calculated, write_page
from benchmarks.work import BenchWork
from gateway.planning.methods import PAPER_METHODS, Method
from tests.unit.benchmarks.made_up import campaign_of, memory_of

MACHINE = {"processor": "Pentium 60", "cores": 1, "system": "Linux i586"}


def page_of(results, tmp_path, drawn=(), **campaign):
    found = paper_findings(results, memory_of(measured={"default": 100, "3x3": 40, "5x5": 30}))
    calculated = {"toy": Calculated(memory_of(), {"3x3": BenchWork(1.53, 1.069, 1_679_360)})}
    return write_page(Campaign(tmp_path, MACHINE, list(results.all), **campaign), results, found, drawn, calculated)


def test_what_is_calculated_has_its_tables(everything):
    assert tables(everything)["Work"][2:] == [["toy", "3x3", "1.53x", "1.07x", "1.68"]]
    assert [row[:2] for row in tables(everything)["Memory"][2:]] == [["toy", way] for way in memory_of().analytic]


def tables(page):
    """Rows of cells, table by table, by the heading above."""
    found, heading = {}, ""
    for block in page.split("\n\n"):
        if block.startswith("#"):
            heading = block.strip("# ")
        elif block.startswith("|"):
            found[heading] = [
                [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in block.strip().split("\n")
            ]
    return found


@pytest.fixture(scope="module")
def everything(tmp_path_factory):
    """The page of a whole campaign."""
    return page_of(campaign_of(Scope()), tmp_path_factory.mktemp("page"))


def test_all_tables_have_rows_of_equal_length_under_a_rule(everything):
    for rows in tables(everything).values():
        assert {len(row) for row in rows} == {len(rows[0])}
        assert set(rows[1]) == {"---"}
        assert len(rows) > 2


def test_every_table_stands_alone_between_blank_lines(everything):
    for line, after in zip(everything.split("\n"), everything.split("\n")[1:], strict=False):
        assert line.startswith("|") == after.startswith("|") or "" in {line, after}


def test_every_finding_has_its_row_with_what_was_reached(everything):
    found = paper_findings(campaign_of(Scope()), memory_of(measured={"default": 100, "3x3": 40, "5x5": 30}))
    assert tables(everything)["Compared with the paper"][2:] == [
        [f.figure, f.paper, f.ours, "yes" if f.reached else "**no**", f.remark] for f in found
    ]
    assert {finding.reached for finding in found} == {True, False}


def test_every_method_is_explained(everything):
    assert [row[0] for row in tables(everything)["The paper's experiments, on real processes"][2:]] == list(
        PAPER_METHODS
    )


@pytest.mark.parametrize(
    "scope",
    [Scope(), Scope(quick=True), Scope(link_mbit=THIN_LINK_MBIT), Scope(link_mbit=50), Scope(shared_medium=True)],
    ids=str,
)
def test_every_measurement_is_in_exactly_one_table(scope, tmp_path):
    results = campaign_of(scope)
    shown = tables(page_of(results, tmp_path))
    parts = {heading: rows for heading, rows in shown.items() if rows[0][0] == "method" and len(rows[0]) == 10}
    assert sum(len(rows) - 2 for rows in parts.values()) == len(results.all)


def test_measurements_are_under_the_headings_of_their_experiments(everything):
    assert list(tables(everything))[4:] == [
        "One source", "Several sources", "float32 pixels, as in the paper", "A link of 20 Mbit/s",
        "Edges of 0.06 of a core, as slow as with the authors' engine",
        "Unequal devices, with 1, 1.5, 1 and 0.5 times the usual share", "One medium for all devices",
        "All of YOLOv2, the remaining layers on the gateway", "The built-in network",
    ]  # fmt: skip
    row = next(row for row in tables(everything)["One source"] if row[:4] == ["ftp-wst-s", "4x4", "2", "1"])
    assert row[4:] == ["0.83", "0.83", "0.93", "1.21", "3.60", "44%"]


def test_a_table_without_measurements_is_left_out(tmp_path):
    page = page_of(campaign_of(Scope(methods=(Method.BODP,), quick=True)), tmp_path)
    assert list(tables(page))[4:] == ["One source", "Several sources", "float32 pixels, as in the paper"]
    assert "Settings that failed" not in page
    assert "## Figures" not in page


def test_methods_without_a_choice_of_grid_show_none(everything):
    rows = [row for row in tables(everything)["One source"] if row[0] in {"bodp", "whole"}]
    assert {row[1] for row in rows} == {""}
    assert len(rows) == 7


def test_emulated_devices_are_described_and_nothing_is_excused(everything):
    assert "Not shaped" not in everything
    assert "in network namespaces on Pentium 60 (1 cores)" in everything
    assert "Edges had 0.2 of a core, the gateway 0.4, the link 100 Mbit/s for each device" in everything


def test_a_shared_medium_is_called_so(tmp_path):
    page = page_of(campaign_of(Scope(link_mbit=12.5, shared_medium=True)), tmp_path)
    assert "the link 12.5 Mbit/s for all devices together" in page


def test_without_emulation_the_page_says_why_and_claims_no_weak_devices(tmp_path):
    page = page_of(campaign_of(Scope(quick=True)), tmp_path, reason="emulating a network needs root")
    assert "> **Not shaped.** emulating a network needs root" in page
    assert "namespaces" not in page
    assert "0.2 of a core" not in page


def test_pictures_are_shown_with_what_they_show(tmp_path):
    page = page_of(
        campaign_of(Scope(quick=True)), tmp_path, [DrawnFigure("latency.png", "Latency"), DrawnFigure("b.png", "Bytes")]
    )
    assert "## Figures\n\n![Latency](latency.png)\n\n![Bytes](b.png)\n" in page


def test_settings_that_failed_are_told(tmp_path):
    page = page_of(campaign_of(Scope(quick=True)), tmp_path, failures={"bodp, 6 edges": "edge-3 ended"})
    assert "## Settings that failed\n\n- bodp, 6 edges: edge-3 ended\n" in page


def test_a_page_of_nothing_is_still_a_page(tmp_path):
    page = write_page(Campaign(tmp_path, MACHINE), Results(Scope(), []), [], [], {})
    assert page.startswith("# The paper's experiments")
    assert page.endswith("in `results.csv`.\n")
