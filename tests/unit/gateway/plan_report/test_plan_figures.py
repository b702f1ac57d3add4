from __future__ import annotations

from statistics import fmean

import pytest

from gateway.models.catalogue import Model
from gateway.plan_report.plan_figures import report_on
from gateway.plan_report.tables import MAX_ROWS, select_cuts
from gateway.planning.partitioned import PartitionedModel
from shared.ftp.costs import peak_bytes, tile_memory
from shared.ftp.grid import Grid
from shared.ftp.tiles import partition
from shared.model.loading import describe_network
from shared.model.spec import CompleteSpec, Preprocessing
from tests.networks import ModelBuilder, yolov2_first_16

MIB = 2**20


@pytest.fixture(scope="module")
def paper():
    """The layers that the paper fuses, at its size."""
    proto = yolov2_first_16(608)
    spec = CompleteSpec(name="yolov2-16", file="", decoder=None, preprocessing=Preprocessing())
    return Model(spec, proto, proto, describe_network(proto, spec.name))


def memory(model, grid):
    """For every tile in tiles of equal size, as the paper has them, what each layer holds."""
    return tile_memory(model.network, partition(model.network, ["layer_15"], Grid.parse(grid)))


@pytest.mark.parametrize(("grid", "reduction"), [("3x3", 0.58), ("5x5", 0.68)])
def test_the_paper_s_reduction_of_a_device_s_memory_is_reproduced(paper, grid, reduction):
    """-58 % at 3x3 and -68 % at 5x5 in the paper, section V-A."""
    (whole,) = memory(paper, "1x1")
    assert peak_bytes(whole) / MIB == pytest.approx(69.5, abs=0.05)
    assert 1 - max(map(peak_bytes, memory(paper, grid))) / peak_bytes(whole) == pytest.approx(reduction, abs=0.005)


@pytest.mark.parametrize(("grid", "reduction"), [("3x3", 0.69), ("5x5", 0.79)])
def test_the_paper_s_reduction_of_a_layer_s_memory_is_reproduced(paper, grid, reduction):
    """-69 % at 3x3 and -79 % at 5x5 in the paper, as means over the layers."""
    (whole,) = memory(paper, "1x1")
    tiles = [max(step.bytes for step in steps) for steps in zip(*memory(paper, grid), strict=True)]
    assert fmean(1 - tile / step.bytes for tile, step in zip(tiles, whole, strict=True)) == pytest.approx(
        reduction, abs=0.02
    )


def test_balanced_tiles_need_less_than_those_of_the_paper(paper):
    analytic = report_on(PartitionedModel.of(paper, Grid(3, 3), "layer_15")).memory.analytic
    assert analytic.whole_peak_bytes / MIB == pytest.approx(69.5, abs=0.05)
    assert analytic.grids["3x3"].peak_reduction == pytest.approx(0.637, abs=0.002)
    assert analytic.grids["5x5"].peak_reduction == pytest.approx(0.708, abs=0.002)
    assert [(layer.layer, layer.in_place) for layer in analytic.layers[:2]] == [
        ("layer_00.conv", ("layer_00",)), ("layer_01", ()),
    ]  # fmt: skip


def test_the_report_marks_the_cut_in_use_the_deepest_and_the_fastest(nanodet):
    report = report_on(PartitionedModel.of(nanodet, Grid(3, 3)))
    assert report.chosen.maps == ("concat_28",)
    assert [cut.maps for cut in report.cuts if cut.deepest] == [("concat_28",)]
    assert [cut.maps for cut in report.cuts if cut.fastest] == [("conv_29", "leakyrelu_31")]
    assert report.chosen.crossing_bytes == 52 * 52 * 128 * 4
    assert report.chosen.receptive_field == (127, 127)
    assert all(cut.head_macs + cut.tail_macs == report.total_macs for cut in report.cuts)


def test_a_cut_that_nobody_would_propose_is_in_the_report_all_the_same(nanodet):
    report = report_on(PartitionedModel.of(nanodet, Grid(2, 2), "conv_04"))
    assert report.chosen.maps == ("conv_04",)


def test_of_many_cuts_a_table_shows_the_ones_that_matter(nanodet):
    report = report_on(PartitionedModel.of(nanodet, Grid(3, 3)))
    shown = select_cuts(report.cuts * 3)
    assert len(shown) <= MAX_ROWS
    assert {report.cuts[0].maps, report.cuts[-1].maps, report.chosen.maps} <= {cut.maps for cut in shown}


def test_a_grid_too_large_for_the_cut_is_left_out_of_the_memory():
    """The map at the cut has 4x4 cells."""
    build = ModelBuilder(16, 16)
    proto = build.model(build.conv("image", 4, 3, strides=[4, 4], pads=[1] * 4, name="conv"))
    spec = CompleteSpec(name="small", file="", decoder=None, preprocessing=Preprocessing())
    small = Model(spec, proto, proto, describe_network(proto, spec.name))
    report = report_on(PartitionedModel.of(small, Grid(2, 2), "conv"))
    assert set(report.memory.analytic.grids) == {"2x2", "3x3"}
