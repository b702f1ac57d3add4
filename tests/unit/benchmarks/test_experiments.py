from __future__ import annotations

from collections import Counter

import pytest

from benchmarks import paper
from benchmarks.experiments import EQUAL_ENGINE_CPU, THIN_LINK_MBIT, Scope, all_settings, one_each
from benchmarks.findings import paper_findings
from gateway.planning.methods import Method
from tests.unit.benchmarks.made_up import campaign_of, memory_of

SCOPES = [
    Scope(), Scope(quick=True), Scope(edges=(1, 6), quick=True), Scope(edges=(1,)), Scope(edges=(4,)),
    Scope(link_mbit=THIN_LINK_MBIT), Scope(shared_medium=True), Scope(methods=(Method.BODP, Method.WST)),
]  # fmt: skip


@pytest.mark.parametrize("scope", SCOPES, ids=str)
def test_every_setting_is_measured_once(scope):
    assert max(Counter(all_settings(scope)).values()) == 1


def test_quick_has_few_settings_with_few_frames():
    quick = all_settings(Scope(edges=(1, 6), quick=True))
    assert 0 < len(quick) < 20
    assert max(setting.frames for setting in quick) == 5
    assert {setting.workload for setting in quick} == {"fused"}
    assert len(all_settings(Scope())) > 4 * len(quick)


@pytest.mark.parametrize("quick", [True, False])
@pytest.mark.parametrize("edges", [(1,), (4,), (1, 6), (2, 3)], ids=str)
def test_device_counts_restrict_all_settings(edges, quick):
    wanted = all_settings(Scope(edges=edges, quick=quick))
    assert {setting.edges for setting in wanted} == set(edges)
    assert max(setting.sources for setting in wanted) <= max(edges)


@pytest.mark.parametrize("quick", [True, False])
@pytest.mark.parametrize("methods", [(Method.WST_S,), (Method.BODP, Method.WST), (Method.WHOLE,)], ids=str)
def test_methods_restrict_all_settings(methods, quick):
    assert {setting.method for setting in all_settings(Scope(methods=methods, quick=quick))} == set(methods)


def test_the_link_is_that_of_all_settings_but_those_whose_subject_it_is():
    thin = all_settings(Scope(link_mbit=50))
    assert {setting.link_mbit for setting in thin} == {50, THIN_LINK_MBIT}
    assert {setting.link_mbit for setting in all_settings(Scope(link_mbit=50, quick=True))} == {50}
    assert {setting.shared_medium for setting in all_settings(Scope(shared_medium=True))} == {True}


def test_sources_are_never_more_than_devices():
    assert all(setting.sources <= setting.edges for setting in all_settings(Scope()))


def test_the_whole_frame_is_measured_on_one_device_with_both_engines():
    whole = {(s.edges, s.grid, s.edge_cpu) for s in all_settings(Scope()) if s.method == Method.WHOLE}
    assert whole == {(1, "1x1", 0.2), (1, "1x1", EQUAL_ENGINE_CPU)}


@pytest.mark.parametrize(
    ("edges", "grid"),
    [(1, "1x1"), (2, "1x2"), (3, "1x3"), (4, "2x2"), (5, "1x5"), (6, "2x3"), (8, "2x4"), (9, "3x3"), (12, "3x4")],
)
def test_a_tile_for_each_device_is_a_grid_as_square_as_can_be(edges, grid):
    assert one_each(edges) == grid


@pytest.mark.parametrize("quick", [True, False])
def test_stealing_is_measured_with_one_tile_for_each_of_several_devices(quick):
    measured = {
        (s.edges, s.grid)
        for s in all_settings(Scope(quick=quick))
        if s.method == Method.WST and s.edge_cpu != EQUAL_ENGINE_CPU
    }
    assert {(2, "1x2"), (3, "1x3"), (4, "2x2"), (5, "1x5"), (6, "2x3")} < measured


def test_slow_devices_have_one_tile_each_too():
    slow = {
        (s.edges, s.grid) for s in all_settings(Scope()) if s.method == Method.WST and s.edge_cpu == EQUAL_ENGINE_CPU
    }
    assert {(2, "1x2"), (6, "2x3")} < slow


def test_what_is_compared_is_there_for_every_finding():
    found = [finding.figure for finding in paper_findings(campaign_of(Scope()), memory_of())]
    assert len(set(found)) == len(found)
    assert [figure for figure in found if "memory" not in figure] == [
        "bytes, FTP-WST against FTP-WSH, mean over 2 to 6 devices, float32 pixels",
        "bytes that FTP-WST-S adds, mean over 2 to 6 devices, float32 pixels",
        "bytes of MoDNN by device count",
        "bytes by the interfaces, beyond our own account",
        "latency, FTP-WST-S, 6 devices against 1 with the same tiles",
        "latency, MoDNN, 6 devices against 1",
        "latency, FTP-WST-S, 6 devices against 1 with the same tiles, devices slowed down to the authors' engine",
        "latency, MoDNN, 6 devices against 1, devices slowed down to the authors' engine",
        "latency, reuse-aware scheduling, with two or more tiles for each device",
        "latency with reuse, 3x3, mean over 1 to 6 devices",
        "latency with reuse, 5x5, mean over 1 to 6 devices",
        "latency, reuse-aware scheduling, with two or more tiles for each device, devices slowed down to the "
        "authors' engine",
        "latency with reuse, 3x3, mean over 1 to 6 devices, devices slowed down to the authors' engine",
        "latency with reuse, 5x5, mean over 1 to 6 devices, devices slowed down to the authors' engine",
        "reuse is never worse than no reuse",
        "largest latency, FTP-WST-S, 6 sources against 1",
        "throughput, FTP-WST-S against MoDNN, by sources on 6 devices: in the mean, and at best",
        "the authors' program, seconds and bytes in every cell",
        "the same with 6 devices at 20 Mbit/s",
        "6 devices against one untiled",
        "6 devices against one untiled, at equal engine speed",
        "detections of all settings",
    ]


def test_every_cell_of_the_authors_has_a_setting():
    results = campaign_of(Scope())
    for (method, grid), cells in paper.AUTHORS.items():
        assert all(results.find_measurement(method, grid, edges) for edges in cells)


def test_quick_leaves_out_only_what_other_devices_are_for():
    quick = {finding.figure for finding in paper_findings(campaign_of(Scope(edges=(1, 6), quick=True)), memory_of())}
    full = {finding.figure for finding in paper_findings(campaign_of(Scope()), memory_of())}
    assert {figure for figure in full - quick if "engine" not in figure} == {
        "bytes of MoDNN by device count",
        "bytes, FTP-WST against FTP-WSH, mean over 2 to 6 devices, float32 pixels",
        "bytes that FTP-WST-S adds, mean over 2 to 6 devices, float32 pixels",
        "latency with reuse, 5x5, mean over 1 to 6 devices",
        "the same with 6 devices at 20 Mbit/s",
    }
    assert quick - full == {
        "bytes, FTP-WST against FTP-WSH, 6 devices, float32 pixels",
        "bytes that FTP-WST-S adds, 6 devices, float32 pixels",
    }
