"""Every figure that is set beside the paper's, of measurements made by hand."""

from __future__ import annotations

import pytest

from benchmarks import paper
from benchmarks.experiments import EQUAL_ENGINE_CPU, THIN_LINK_MBIT, Scope
from benchmarks.findings import Results, paper_findings
from benchmarks.setting import BenchSetting
from tests.unit.benchmarks.made_up import measurement, memory_of

SCOPE = Scope(edges=(1, 2, 6))


def made(method, edges=1, fused_s=1.0, mb=1.0, *, grid="3x3", setting=(), **more):
    """`setting` is what differs in the setting, `more` what differs in what was measured."""
    return measurement(BenchSetting(method, grid, edges, **dict(setting)), fused_s, mb, **more)


def find(measurements, figure, scope=SCOPE, memory=None):
    """The one finding whose name begins so; None where there is none."""
    found = [
        finding for finding in paper_findings(Results(scope, measurements), memory) if finding.figure.startswith(figure)
    ]
    assert len(found) <= 1
    return found[0] if found else None


def test_nothing_measured_is_nothing_found():
    assert paper_findings(Results(SCOPE, []), None) == []


def test_one_setting_gives_no_comparison():
    """Of the authors' cells it has one; bytes and detections are compared with nothing but themselves."""
    found = paper_findings(Results(SCOPE, [made("ftp-wst-s")]), None)
    assert [finding.figure.partition(",")[0] for finding in found] == [
        "bytes by the interfaces",
        "the authors' program",
        "detections of all settings",
    ]


@pytest.mark.parametrize(("reduction", "reached"), [(0.58, True), (0.5751, True), (0.5749, False)])
def test_memory_reaches_the_papers_to_half_a_point(reduction, reached):
    finding = find([], "largest memory per device, FTP 3x3", memory=memory_of(peaks=(reduction, 0.68, 0.5)))
    assert (finding.paper, finding.reached) == ("-58 %", reached)


@pytest.mark.parametrize(("reduction", "ours", "reached"), [(0.667, "-66.7 %", True), (0.66, "-66.0 %", False)])
def test_memory_by_layers_is_of_modnn_too(reduction, ours, reached):
    finding = find([], "mean memory per layer, BODP", memory=memory_of(layers=(0.69, 0.79, reduction)))
    assert (finding.ours, finding.reached) == (ours, reached)


def test_measured_memory_is_against_the_session_as_it_comes():
    memory = memory_of(measured={"default": 100, "1x1": 90, "3x3": 42, "5x5": 33})
    small, large = (find([], f"measured memory, {grid}", memory=memory) for grid in ("3x3", "5x5"))
    assert (small.ours, small.reached) == ("-58 %", True)
    assert (large.ours, large.reached, large.paper) == ("-67 %", False, "-68 %")


def test_memory_that_was_not_measured_is_left_out():
    assert find([], "measured memory", memory=memory_of()) is None


FLOAT32 = {"pixels": "float32"}


@pytest.mark.parametrize(("mb", "ours", "reached"), [(4.8, "-52 %", True), (4.9, "-51 %", False)])
def test_bytes_are_compared_at_equal_device_counts_with_float32_pixels(mb, ours, reached):
    measurements = [
        made("ftp-wsh", 2, mb=10, setting=FLOAT32), made("ftp-wst", 2, mb=mb, setting=FLOAT32),
        made("ftp-wsh", 6, mb=20, setting=FLOAT32), made("ftp-wst", 6, mb=2 * mb, setting=FLOAT32),
        made("ftp-wst", 1, mb=99, setting=FLOAT32), made("ftp-wst", 2, mb=99), made("ftp-wsh", 2, mb=1),
    ]  # fmt: skip
    finding = find(measurements, "bytes, FTP-WST against FTP-WSH")
    assert finding.figure == "bytes, FTP-WST against FTP-WSH, mean over 2 to 6 devices, float32 pixels"
    assert (finding.paper, finding.ours, finding.reached) == ("-52 %", ours, reached)


def test_bytes_at_one_device_count_are_no_mean():
    measurements = [made(method, 6, mb=mb, setting=FLOAT32) for method, mb in (("ftp-wsh", 10), ("ftp-wst", 4))]
    finding = find(measurements, "bytes, FTP-WST against FTP-WSH")
    assert finding.figure == "bytes, FTP-WST against FTP-WSH, 6 devices, float32 pixels"


@pytest.mark.parametrize(("mb", "ours", "reached"), [(6.0, "1.20 MB", True), (6.5, "1.45 MB", False)])
def test_the_bytes_of_reuse_are_those_that_it_adds_to_stolen_tiles(mb, ours, reached):
    measurements = [
        made("ftp-wst", 2, mb=5, setting=FLOAT32), made("ftp-wst-s", 2, mb=mb, setting=FLOAT32),
        made("ftp-wst", 6, mb=8, setting=FLOAT32), made("ftp-wst-s", 6, mb=9.4, setting=FLOAT32),
        made("ftp-wst", 1, mb=99, setting=FLOAT32),
    ]  # fmt: skip
    finding = find(measurements, "bytes that FTP-WST-S adds")
    assert finding.figure == "bytes that FTP-WST-S adds, mean over 2 to 6 devices, float32 pixels"
    assert (finding.paper, finding.ours, finding.reached) == ("0.9 to 1.4 MB", ours, reached)


@pytest.mark.parametrize(
    ("last_mb", "ours", "reached"), [(14, "+2.00 MB a device", True), (4, "+0.00 MB a device", False)]
)
def test_bytes_of_modnn_grow_with_devices(last_mb, ours, reached):
    bodp = [made("bodp", edges, mb=mb, setting=FLOAT32) for edges, mb in ((1, 4), (2, 6), (6, last_mb))]
    flat = [made("ftp-wsh", edges, mb=mb, setting=FLOAT32) for edges, mb in ((2, 7), (6, 7.5))]
    finding = find([*bodp, *flat], "bytes of MoDNN")
    assert (finding.ours, finding.reached) == (ours, reached)
    assert finding.remark == "FTP-WSH stays at 7.0 to 7.5 MB"
    assert find(bodp, "bytes of MoDNN").remark == "FTP-WSH stays at not measured"
    assert find(bodp[:2], "bytes of MoDNN") is None


@pytest.mark.parametrize(
    ("accounted", "ours", "reached"), [(86, "5.0 % to 14.0 %", True), (85, "5.0 % to 15.0 %", False)]
)
def test_the_interfaces_carry_little_that_we_do_not_know_of(accounted, ours, reached):
    measurements = [
        made("ftp-wst", 1, interface_bytes=100, accounted_bytes={"result": 90, "mqtt": 5}),
        made("ftp-wst", 2, interface_bytes=100, accounted_bytes={"result": accounted}),
        made("ftp-wst", 6, interface_bytes=None, accounted_bytes={"result": 1}),
        made("ftp-wst", 6, setting={"sources": 2}, interface_bytes=100, accounted_bytes={"result": 1}),
    ]
    finding = find(measurements, "bytes by the interfaces")
    assert (finding.ours, finding.reached) == (ours, reached)
    assert find(measurements[2:], "bytes by the interfaces") is None


@pytest.mark.parametrize(
    ("seconds", "ours", "reached"), [(2.0, "3x3 2.00x, 5x5 3.50x", True), (2.01, "3x3 2.00x, 5x5 3.48x", False)]
)
def test_the_speed_up_is_that_of_the_best_grid(seconds, ours, reached):
    measurements = [
        made("ftp-wst-s", 1, 4.0), made("ftp-wst-s", 2, 0.1), made("ftp-wst-s", 6, 2.0),
        made("ftp-wst-s", 1, 7.0, grid="5x5"), made("ftp-wst-s", 6, seconds, grid="5x5"),
        made("ftp-wst-s", 1, 9.0, grid="4x4"),
    ]  # fmt: skip
    finding = find(measurements, "latency, FTP-WST-S")
    assert finding.figure == "latency, FTP-WST-S, 6 devices against 1 with the same tiles"
    assert (finding.paper, finding.ours, finding.reached) == ("3.5x", ours, reached)


def test_the_speed_up_of_another_device_count_does_not_stand_in_for_one_that_failed():
    measurements = [made(method, edges, 1 / edges) for method in ("ftp-wst-s", "bodp") for edges in (1, 2)]
    assert find(measurements, "latency, FTP-WST-S") is None
    assert find(measurements, "latency, MoDNN") is None
    assert find(measurements, "latency, FTP-WST-S", Scope(edges=(1, 2))).ours == "3x3 2.00x"


def test_slow_devices_are_compared_with_slow_devices():
    slow = {"edge_cpu": EQUAL_ENGINE_CPU}
    measurements = [
        made(method, edges, 12 / edges, setting=slow) for method in ("ftp-wst-s", "bodp") for edges in (1, 6)
    ]
    figure = "latency, FTP-WST-S, 6 devices against 1 with the same tiles, devices slowed down to the authors' engine"
    assert find(measurements, "latency, FTP-WST-S") == find(measurements, figure)
    assert find(measurements, figure).ours == "3x3 6.00x"
    modnn = find(measurements, "latency, MoDNN")
    assert (modnn.paper, modnn.ours) == ("2.1x", "6.00x")


@pytest.mark.parametrize(
    ("seconds", "ours", "reached"), [(0.73, "-27 % on average", True), (0.75, "-25 % on average", False)]
)
def test_reuse_is_judged_where_tiles_outnumber_devices(seconds, ours, reached):
    measurements = [
        made("ftp-wst", 1, 1.0), made("ftp-wst-s", 1, seconds - 0.1),
        made("ftp-wst", 2, 2.0), made("ftp-wst-s", 2, 2 * seconds + 0.2),
        made("ftp-wst", 6, 1.0), made("ftp-wst-s", 6, 5.0),
    ]  # fmt: skip
    finding = find(measurements, "latency, reuse-aware scheduling")
    assert (finding.paper, finding.ours, finding.reached) == ("-27 %", ours, reached)
    spread = f"from {-100 * (1.1 - seconds):+.0f} % to {-100 * (0.9 - seconds):+.0f} % (3x3, 2 devices)"
    assert finding.remark.startswith(f"{spread}; the edges' own time falls by 0 % on average; on one device")
    assert f"latency falls by {100 * (1.1 - seconds):.0f} %" in finding.remark


def test_what_reuse_spares_is_told_beside_what_it_gains_and_what_it_does_on_one_device():
    measurements = [
        made(method, edges, seconds, grid=grid, cpu_seconds={"edge-1": 3.0 * seconds / edges, "gateway": 9.0})
        for grid, gain in (("3x3", 0.2), ("4x4", 0.3), ("5x5", 0.4))
        for edges in (1, 2)
        for method, seconds in (("ftp-wst", 1.0), ("ftp-wst-s", 1.0 - gain * (2 if edges == 1 else 1)))
    ]
    remark = find(measurements, "latency, reuse-aware scheduling").remark
    assert "the edges' own time falls by 45 % on average; " in remark
    assert "latency falls by 60 %, its time by 60 %" in remark
    several = [measured for measured in measurements if measured.setting.edges > 1]
    assert find(several, "latency, reuse-aware scheduling").remark.endswith("time falls by 30 % on average")


def test_twice_as_many_tiles_as_devices_are_enough():
    pair = [made("ftp-wst", 8, 2.0, grid="4x4"), made("ftp-wst-s", 8, 1.0, grid="4x4")]
    assert find(pair, "latency, reuse-aware scheduling", Scope(edges=(1, 8))).ours == "-50 % on average"
    pair = [made("ftp-wst", 5, 2.0), made("ftp-wst-s", 5, 1.0)]
    assert find(pair, "latency, reuse-aware scheduling", Scope(edges=(1, 5))) is None


@pytest.mark.parametrize(
    ("seconds", "ours", "reached"),
    [(1.1, "at most 1.10 times the latency", True), (1.12, "at most 1.12 times the latency", False)],
)
def test_reuse_is_never_much_worse_on_a_thin_link_either(seconds, ours, reached):
    thin = {"link_mbit": THIN_LINK_MBIT}
    measurements = [
        made("ftp-wst", 6, 1.0), made("ftp-wst-s", 6, 0.5),
        made("ftp-wst", 6, 1.0, setting=thin), made("ftp-wst-s", 6, seconds, setting=thin),
        made("ftp-wst-s", 2, 9.0),
    ]  # fmt: skip
    finding = find(measurements, "reuse is never worse")
    assert (finding.ours, finding.reached) == (ours, reached)
    assert "ftp-wst-s 3x3, 6 edges, 20 Mbit/s" in finding.remark


@pytest.mark.parametrize(("seconds", "ours", "reached"), [(3.1, "3.10x", True), (3.2, "3.20x", False)])
def test_the_largest_latency_of_many_sources_is_against_that_of_one(seconds, ours, reached):
    measurements = [made("ftp-wst-s", 6, 1.0), made("ftp-wst-s", 6, seconds, setting={"sources": 6})]
    finding = find(measurements, "largest latency")
    assert finding.figure == "largest latency, FTP-WST-S, 6 sources against 1"
    assert (finding.ours, finding.reached) == (ours, reached)
    assert find(measurements[1:], "largest latency") is None


@pytest.mark.parametrize(("grid", "expected"), [("3x3", "-16 %"), ("5x5", "-33 %")])
@pytest.mark.parametrize(("gain", "reached"), [(0.35, True), (0.1, False)])
def test_reuse_is_set_beside_the_papers_grid_by_grid(grid, expected, gain, reached):
    measurements = [
        made(method, edges, seconds, grid=grid)
        for edges in (1, 6)
        for method, seconds in (("ftp-wst", 1.0), ("ftp-wst-s", 1.0 - gain - (0.02 if edges == 1 else -0.02)))
    ]
    finding = find(measurements, f"latency with reuse, {grid}")
    assert (finding.paper, finding.ours) == (expected, f"{-100 * gain:+.0f} %")
    assert finding.reached == reached
    assert finding.figure.endswith("mean over 1 to 6 devices")
    assert finding.remark == f"1: {-100 * (gain + 0.02):+.0f} %, 6: {-100 * (gain - 0.02):+.0f} %"
    assert find([], f"latency with reuse, {grid}") is None


@pytest.mark.parametrize(
    ("one", "six", "ours", "reached"),
    [(1.4, 2.5, "1.95x, 2.50x", True), (1.0, 2.5, "1.75x, 2.50x", False), (2.3, 2.3, "2.30x, 2.30x", False)],
)
def test_throughput_is_against_modnns_in_the_mean_and_at_best(one, six, ours, reached):
    measurements = [
        made(method, 6, seconds, setting={"sources": sources})
        for sources, ratio in ((1, one), (6, six))
        for method, seconds in (("ftp-wst-s", 1.0), ("bodp", ratio))
    ]
    finding = find(measurements, "throughput")
    assert (finding.paper, finding.ours, finding.reached) == ("1.8x, 2.4x", ours, reached)
    assert finding.remark.startswith(f"1 {one:.2f}x, 6 {six:.2f}x")
    assert find(measurements[:1], "throughput") is None


def test_throughput_is_beside_what_no_method_could_exceed():
    six = {"sources": 6}
    measurements = [
        made("ftp-wst-s", 6, 1.0, setting=six),
        made("bodp", 6, 2.0, setting=six),
        made("whole", 1, 1.0, grid="1x1", cpu_seconds={"edge-1": 4.0, "gateway": 9.0}),
    ]
    modnn, whole = measurements[1:]
    assert len(whole.frames) == 8
    limit = f"no method could exceed 2.40 frames a second here, {2.4 / modnn.frames_per_s:.2f}x"
    assert find(measurements, "throughput").remark.endswith(f"a frame; untiled, it takes 0.50: {limit}")
    assert "no method" not in find(measurements[:2], "throughput").remark


def authors_cells():
    return [
        (method, grid, edges, *cell) for (method, grid), cells in paper.AUTHORS.items() for edges, cell in cells.items()
    ]


AUTHORS = "the authors' program"


def test_the_authors_program_is_beaten_in_every_cell():
    better = [made(m, n, seconds - 0.1, mb - 0.1, grid=grid) for m, grid, n, seconds, mb in authors_cells()]
    finding = find(better, AUTHORS, Scope())
    assert (finding.ours, finding.reached, finding.remark) == ("faster and fewer", True, "")


@pytest.mark.parametrize(("seconds", "mb"), [(1.82, 1.0), (1.0, 10.8), (9, 99)], ids=["seconds", "bytes", "both"])
def test_one_cell_that_only_equals_the_authors_is_told(seconds, mb):
    worse = made("ftp-wst-s", 6, seconds, mb)
    finding = find([made("ftp-wst-s", 1), worse], AUTHORS)
    assert (finding.ours, finding.reached) == ("not in all", False)
    assert finding.remark == f"{worse.setting.text}: {seconds:.2f} s, {mb:.1f} MB against 1.82 s, 10.8 MB"


def test_the_authors_cells_are_of_their_link():
    thin = {"link_mbit": THIN_LINK_MBIT}
    assert find([made("ftp-wst", 6, 9.0, setting=thin)], AUTHORS, Scope(link_mbit=THIN_LINK_MBIT)) is None
    shared = {"shared_medium": True}
    assert find([made("ftp-wst", 6, 9.0, setting=shared)], AUTHORS, Scope(shared_medium=True)) is None


def test_without_a_cell_of_theirs_nothing_is_said_of_the_authors():
    assert find([made("bodp", edges) for edges in (1, 2, 6)], AUTHORS) is None


@pytest.mark.parametrize(("seconds", "ours", "reached"), [(2.6, "2.60x", True), (2.5, "2.50x", False)])
@pytest.mark.parametrize(
    ("cpu", "name"), [(0.2, ""), (EQUAL_ENGINE_CPU, ", at equal engine speed")], ids=["ours", "equal"]
)
def test_many_devices_against_one_that_computes_the_whole(seconds, ours, reached, cpu, name):
    cores = {"edge_cpu": cpu}
    measurements = [
        made("whole", 1, seconds, grid="1x1", setting=cores),
        made("ftp-wst", 6, 1.0, grid="5x5", setting=cores),
        made("ftp-wst-s", 6, 1.2, setting=cores),
        made("bodp", 6, 0.1, setting=cores),
    ]
    finding = find(measurements, "6 devices against one untiled")
    assert finding.figure == f"6 devices against one untiled{name}"
    assert (finding.paper, finding.ours, finding.reached) == ("2.5x", ours, reached)
    assert find(measurements[1:], "6 devices against one untiled") is None
    assert find(measurements[:1], "6 devices against one untiled") is None


@pytest.mark.parametrize(("grid", "ours"), [("2x3", "4.00x"), ("1x6", "2.00x")])
def test_one_untiled_is_compared_with_one_tile_for_each_of_many(grid, ours):
    measurements = [
        made("whole", 1, 4.0, grid="1x1"), made("ftp-wst", 6, 2.0), made("ftp-wst", 6, 1.0, grid=grid),
    ]  # fmt: skip
    assert find(measurements, "6 devices against one untiled").ours == ours


SAME = "detections of all settings"


def test_all_see_the_same():
    finding = find([made("ftp-wst"), made("bodp", 6), made("whole", grid="1x1")], SAME)
    assert (finding.ours, finding.reached, finding.remark) == ("the same, bit for bit", True, "3 settings")


def test_one_that_sees_something_else_is_told():
    finding = find([made("ftp-wst"), made("bodp", 6, detections_sha256="else")], SAME)
    assert (finding.ours, finding.reached) == ("not all the same", False)


@pytest.mark.parametrize("other", [{"sources": 2}, {"frames": 4}, {"workload": "whole"}], ids=str)
def test_other_frames_and_networks_may_see_something_else(other):
    assert find([made("ftp-wst", 2), made("ftp-wst", 2, setting=other, detections_sha256="else")], SAME).reached


def test_settings_that_dropped_frames_are_not_compared():
    dropped = made("bodp", 6, dropped={"late": 1}, detections_sha256="else")
    assert find([made("ftp-wst"), dropped], SAME).remark == "1 settings"
    assert find([dropped], SAME) is None


def test_results_are_found_by_what_differs_from_the_scopes_setting():
    usual, thin = made("ftp-wst", 2), made("ftp-wst", 2, setting={"link_mbit": 20.0})
    float32, six = made("ftp-wst", 2, setting=FLOAT32), made("ftp-wst", 6, setting={"sources": 6})
    results = Results(SCOPE, [usual, thin, float32, six])
    assert results.find_measurement("ftp-wst", edges=2) is usual
    assert results.find_measurement("ftp-wst", edges=2, link_mbit=20.0) is thin
    assert results.find_measurement("ftp-wst", edges=2, pixels="float32") is float32
    assert results.find_measurement("ftp-wst", edges=6, sources=6) is six
    assert (
        results.find_measurement("ftp-wst", edges=6)
        is results.find_measurement("ftp-wst", "5x5", 2)
        is results.find_measurement("ftp-wst")
        is None
    )
    assert Results(Scope(link_mbit=20.0), [usual, thin]).find_measurement("ftp-wst", edges=2) is thin


@pytest.mark.parametrize("method", ["bodp", "whole"])
def test_methods_without_a_choice_of_grid_are_found_by_any(method):
    measured = made(method, 1, grid="1x1")
    assert Results(SCOPE, [measured]).find_measurement(method, "5x5") is measured


def test_by_edges_gives_what_there_is_of_the_scopes_device_counts():
    measurements = {edges: made("ftp-wst", edges) for edges in (2, 5, 6)}
    assert Results(SCOPE, list(measurements.values())).by_edges("ftp-wst") == {2: measurements[2], 6: measurements[6]}
