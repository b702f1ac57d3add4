from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from onnx import helper

from shared.errors import ConfigurationError, CutError
from shared.ftp.grid import Grid
from shared.ftp.region import Region
from shared.ftp.stage import Edge, Form
from shared.ftp.tiles import partition
from shared.model.loading import describe_network
from tests.extent import examples
from tests.networks import ModelBuilder, model_of
from tests.unit.random_networks import tiling_cases


def same(kernel):
    return {"pads": [kernel // 2] * 4}


def pads_of(stage, tile):
    """Return the pads of one tile by (layer, map)."""
    return dict(zip(((edge.layer, edge.tensor) for edge in stage.edges), stage.tiles[tile].pads, strict=True))


def test_a_tile_reads_its_cells_and_a_halo_and_is_padded_at_the_borders_of_the_map_only():
    build = ModelBuilder(8, 8)
    conv = build.conv("image", 4, 3, **same(3))
    stage = partition(build.network(conv), [conv], Grid(2, 2))
    assert [tile.inputs for tile in stage.tiles] == [
        (Region(0, 0, 5, 5),), (Region(0, 3, 5, 8),), (Region(3, 0, 8, 5),), (Region(3, 3, 8, 8),),
    ]  # fmt: skip
    assert [tile.pads for tile in stage.tiles] == [
        ((1, 1, 0, 0),), ((1, 0, 0, 1),), ((0, 1, 1, 0),), ((0, 0, 1, 1),),
    ]  # fmt: skip


def test_a_tile_in_the_middle_is_not_padded():
    build = ModelBuilder(9, 9)
    conv = build.conv("image", 4, 3, **same(3))
    middle = partition(build.network(conv), [conv], Grid(3, 3)).tiles[4]
    assert (middle.inputs, middle.pads) == ((Region(2, 2, 7, 7),), ((0, 0, 0, 0),))


def test_asymmetric_padding_stays_on_its_side():
    build = ModelBuilder(8, 8)
    conv = build.conv("image", 4, 4, pads=[0, 1, 3, 2])
    whole = partition(build.network(conv), [conv], Grid(1, 1)).tiles[0]
    assert (whole.inputs, whole.pads) == ((Region(0, 0, 8, 8),), ((0, 1, 3, 2),))


def test_halos_add_up_over_layers_and_double_behind_a_stride():
    build = ModelBuilder(32, 32)
    first = build.conv("image", 4, 3, **same(3))
    pool = build.layer("MaxPool", first, kernel_shape=[2, 2], strides=[2, 2])
    last = build.conv(pool, 4, 3, **same(3))
    middle = partition(build.network(last), [last], Grid(4, 4)).tiles[5]
    assert middle.outputs == (Region(4, 4, 8, 8),)
    assert middle.inputs == (Region(5, 5, 19, 19),)


def test_the_16_layers_of_the_paper_need_59_pixels_on_every_side():
    build = ModelBuilder(608, 608)
    tensor = "image"
    for kernel in (3, 0, 3, 0, 3, 1, 3, 0, 3, 1, 3, 0, 3, 1, 3, 1):
        if kernel:
            tensor = build.conv(tensor, 1, kernel, **same(kernel))
        else:
            tensor = build.layer("MaxPool", tensor, kernel_shape=[2, 2], strides=[2, 2])
    middle = partition(build.network(tensor), [tensor], Grid(3, 3)).tiles[4]
    (cell,) = middle.outputs
    assert middle.inputs == (
        Region(16 * cell.top - 59, 16 * cell.left - 59, 16 * cell.bottom + 59, 16 * cell.right + 59),
    )  # fmt: skip


def test_a_map_that_two_kernels_use_is_computed_for_the_larger_and_cropped_for_the_smaller():
    build = ModelBuilder(12, 12)
    shared = build.layer("LeakyRelu", "image", name="shared")
    small = build.conv(shared, 4, 1, name="small")
    large = build.conv(shared, 4, 5, name="large", **same(5))
    joined = build.layer("Concat", small, large, axis=1)
    stage = partition(build.network(joined), [joined], Grid(3, 1))
    assert stage.tiles[1].inputs == (Region(2, 0, 10, 12),)
    assert pads_of(stage, 1) == {("small", "shared"): (-2, 0, -2, 0), ("large", "shared"): (0, 2, 0, 2)}
    assert pads_of(stage, 0) == {("small", "shared"): (0, 0, -2, 0), ("large", "shared"): (2, 2, 0, 2)}


def test_a_map_at_the_cut_that_a_fused_layer_uses_too_is_cropped_to_its_region():
    build = ModelBuilder(12, 12)
    near = build.layer("LeakyRelu", "image", name="near")
    far = build.conv(near, 4, 5, name="far", **same(5))
    stage = partition(build.network(near, far), [near, far], Grid(3, 1))
    assert stage.tiles[1].outputs == (Region(4, 0, 8, 12), Region(4, 0, 8, 12))
    assert pads_of(stage, 1)[None, "near"] == (-2, 0, -2, 0)


def test_a_layer_that_uses_a_map_twice_has_one_edge():
    build = ModelBuilder(12, 12)
    twice = build.layer("Add", "image", "image", name="twice")
    far = build.conv("image", 3, 3, name="far", **same(3))
    stage = partition(build.network(twice, far), [twice, far], Grid(2, 1))
    assert pads_of(stage, 0) == {("twice", "image"): (0, 0, -1, 0), ("far", "image"): (1, 1, 0, 1)}


def test_edges_that_no_tile_pads_or_crops_are_left_out():
    build = ModelBuilder(8, 8)
    conv = build.conv(build.layer("LeakyRelu", "image"), 4, 1)
    pool = build.layer("MaxPool", conv, kernel_shape=[2, 2], strides=[2, 2])
    assert partition(build.network(pool), [pool], Grid(2, 2)).edges == ()


def test_rows_behind_the_last_window_are_not_read():
    build = ModelBuilder(9, 9)
    pool = build.layer("MaxPool", "image", kernel_shape=[2, 2], strides=[2, 2])
    stage = partition(build.network(pool), [pool], Grid(2, 2))
    assert stage.tiles[3].inputs == (Region(4, 4, 8, 8),)


def test_finer_maps_at_the_cut_are_divided_where_the_coarsest_is():
    build = ModelBuilder(16, 16)
    fine = build.conv("image", 4, 3, name="fine", **same(3))
    coarse = build.conv(fine, 4, 3, name="coarse", strides=[2, 2], **same(3))
    stage = partition(build.network(fine, coarse), [fine, coarse], Grid(3, 1))
    assert [(fine.top, coarse.top) for fine, coarse in (tile.outputs for tile in stage.tiles)] == [
        (0, 0), (4, 2), (10, 5),
    ]  # fmt: skip


def test_maps_at_the_cut_are_divided_by_the_fewest_rows_and_columns_of_all():
    build = ModelBuilder(12, 12)
    flat = build.conv("image", 2, 3, name="flat", strides=[4, 1], **same(3))
    small = build.conv("image", 2, 3, name="small", strides=[2, 3], **same(3))
    network = build.network(flat, small)
    assert network.shapes[flat][2:] == (3, 12)
    assert network.shapes[small][2:] == (6, 4)
    with pytest.raises(ConfigurationError, match="at most 3x4"):
        partition(network, [flat, small], Grid(6, 1))


@pytest.mark.parametrize("padding", [1, 3])
def test_a_tile_that_lies_in_the_padding_still_reads_a_cell_of_the_map(padding):
    build = ModelBuilder(8, 8)
    conv = build.conv("image", 2, 1, pads=[padding] * 4)
    stage = partition(build.network(conv), [conv], Grid(8 + 2 * padding, 1))
    assert min(tile.inputs[0].height for tile in stage.tiles) > 0


@settings(max_examples=examples(60))
@given(tiling_cases())
def test_every_cell_of_every_map_at_the_cut_belongs_to_exactly_one_tile(case):
    network = describe_network(case.model, "random")
    stage = partition(network, case.cut, case.grid)
    for position, tensor in enumerate(case.cut):
        count = np.zeros(network.shapes[tensor][2:], int)
        for tile in stage.tiles:
            count[tile.outputs[position].slices] += 1
        assert (count == 1).all()


@settings(max_examples=examples(60))
@given(tiling_cases())
def test_every_tile_reads_a_part_of_the_input(case):
    network = describe_network(case.model, "random")
    for tile in partition(network, case.cut, case.grid).tiles:
        (region,) = tile.inputs
        assert region.area > 0
        assert region.clip(*network.input_size) == region


def test_a_stage_knows_its_layers_input_cut_and_grid():
    build = ModelBuilder(8, 8)
    conv = build.conv("image", 4, 3, name="conv", **same(3))
    relu = build.layer("LeakyRelu", conv, name="relu")
    build.conv(relu, 4, 3, name="behind")
    stage = partition(build.network("behind"), [relu], Grid(2, 1))
    assert [layer.name for layer in stage.layers] == ["conv", "relu"]
    assert (stage.inputs, stage.cut, stage.grid) == (("image",), ("relu",), Grid(2, 1))
    assert [tile.index for tile in stage.tiles] == [0, 1]
    assert stage.edges == (Edge("image", "conv"),)


def test_a_layer_before_the_cut_that_cannot_be_tiled_is_refused_by_name():
    build = ModelBuilder(8, 8)
    pooled = build.layer("GlobalAveragePool", "image", name="squeeze")
    conv = build.conv(pooled, 4, 1)
    with pytest.raises(CutError, match=r"layer squeeze \(GlobalAveragePool\)"):
        partition(build.network(conv), [conv], Grid(1, 1))


def test_a_layer_behind_the_cut_may_be_of_any_kind():
    build = ModelBuilder(8, 8)
    conv = build.conv("image", 4, 3)
    build.layer("GlobalAveragePool", conv, name="squeeze")
    assert len(partition(build.network("squeeze"), [conv], Grid(2, 2)).tiles) == 4


def test_a_cut_across_which_other_maps_leak_is_refused_with_their_names():
    build = ModelBuilder(8, 8)
    left = build.layer("LeakyRelu", "image", name="left")
    right = build.layer("Sigmoid", left, name="right")
    joined = build.layer("Concat", left, right, axis=1)
    with pytest.raises(CutError, match=r"also need left; cut behind all of them together \(right,left\)"):
        partition(build.network(joined), [right], Grid(1, 1))


def test_a_cut_that_leaves_the_input_to_the_layers_behind_is_refused():
    build = ModelBuilder(8, 8)
    left = build.layer("LeakyRelu", "image", name="left")
    joined = build.layer("Concat", left, "image", axis=1)
    with pytest.raises(CutError, match="also need image"):
        partition(build.network(joined), [left], Grid(1, 1))


@pytest.mark.parametrize("tensor", ["nowhere", "image"])
def test_a_cut_behind_no_layer_is_refused_with_names_that_exist(tensor):
    build = ModelBuilder(8, 8)
    network = build.network(build.layer("LeakyRelu", "image", name="only"))
    with pytest.raises(CutError, match=f"no layer '{tensor}'.*only"):
        partition(network, [tensor], Grid(1, 1))


def test_a_layer_with_two_outputs_is_refused_by_name():
    pool = helper.make_node("MaxPool", ["image"], ["pooled", "places"], "pool", kernel_shape=[2, 2])
    network = describe_network(model_of([pool], [], {"image": (1, 3, 8, 8)}, {"pooled": None}), "test")
    with pytest.raises(CutError, match="layer pool"):
        partition(network, ["pooled"], Grid(1, 1))


def test_a_grid_larger_than_the_map_at_the_cut_is_refused():
    build = ModelBuilder(8, 8)
    pool = build.layer("MaxPool", "image", kernel_shape=[2, 2], strides=[2, 2])
    with pytest.raises(ConfigurationError, match="4x4 cells"):
        partition(build.network(pool), [pool], Grid(5, 1))


def test_what_a_tile_computes_is_its_part_of_every_map_times_the_kernel():
    build = ModelBuilder(8, 8)
    first = build.conv("image", 4, 3, **same(3))
    last = build.conv(first, 2, 3, **same(3))
    whole, *halves = (
        tile for grid in (Grid(1, 1), Grid(2, 1)) for tile in partition(build.network(last), [last], grid).tiles
    )
    assert whole.macs == 64 * (4 * 3 * 9 + 2 * 4 * 9)
    assert [half.macs for half in halves] == [40 * 4 * 3 * 9 + 32 * 2 * 4 * 9] * 2


def test_tiles_of_one_kind_have_the_same_pads_and_maybe_other_sizes():
    build = ModelBuilder(22, 22)
    conv = build.conv("image", 4, 3, **same(3))
    stage = partition(build.network(conv), [conv], Grid(5, 5))
    inner, wider, border = (stage.tiles[index].form for index in (6, 7, 5))
    assert inner == Form(((6, 6),), ((0, 0, 0, 0),))
    assert wider == Form(((6, 7),), ((0, 0, 0, 0),))
    assert inner.kind == wider.kind != border.kind
    assert len(stage.forms) == 9
    assert {form.kind for form in stage.forms} == {tile.form.kind for tile in stage.tiles}


@pytest.fixture
def two_stages():
    """Return a network whose map `early` is needed in the middle and, beside `deep`, at the end."""
    build = ModelBuilder(16, 16)
    early = build.conv("image", 4, 3, name="early", **same(3))
    deep = build.conv(early, 4, 3, name="deep", strides=[2, 2], **same(3))
    deeper = build.conv(deep, 4, 3, name="deeper", **same(3))
    return build.network(early, deeper)


def test_a_later_stage_reads_the_maps_at_the_cut_before(two_stages):
    stage = partition(two_stages, ["early", "deeper"], Grid(2, 1), after=["early", "deep"])
    assert [layer.name for layer in stage.layers] == ["deeper"]
    assert stage.inputs == ("early", "deep")
    assert [tile.inputs for tile in stage.tiles] == [
        (Region(0, 0, 8, 16), Region(0, 0, 5, 8)), (Region(8, 0, 16, 16), Region(3, 0, 8, 8)),
    ]  # fmt: skip
    assert [tile.form.sizes for tile in stage.tiles] == [((8, 16), (5, 8))] * 2
    assert [tile.macs for tile in stage.tiles] == [4 * 8 * 4 * 4 * 9] * 2


def test_a_map_that_a_later_stage_reads_and_passes_on_is_cropped_to_its_region(two_stages):
    stage = partition(two_stages, ["early", "deep"], Grid(4, 1), after=["early"])
    assert [layer.name for layer in stage.layers] == ["deep"]
    assert stage.tiles[1].outputs == (Region(4, 0, 8, 16), Region(2, 0, 4, 8))
    assert stage.tiles[1].inputs == (Region(3, 0, 8, 16),)
    assert pads_of(stage, 1)[None, "early"] == (-1, 0, 0, 0)


def test_a_later_stage_is_divided_by_shares(two_stages):
    stage = partition(two_stages, ["early", "deeper"], Grid(3, 1), after=["early", "deep"], shares=(1, 5, 2))
    assert [(fine.height, coarse.height) for fine, coarse in (tile.outputs for tile in stage.tiles)] == [
        (2, 1), (10, 5), (4, 2),
    ]  # fmt: skip


def test_a_later_stage_is_balanced_with_the_halos_that_it_has_itself():
    build = ModelBuilder(48, 48)
    early = build.conv("image", 4, 9, name="early", strides=[2, 2], pads=[4] * 4)
    last = build.conv(early, 4, 9, name="last", pads=[4] * 4)
    network = build.network(last)
    stage = partition(network, [last], Grid(3, 1), after=[early], balanced=True)
    alone = ModelBuilder(24, 24)
    same_alone = alone.conv("image", 4, 9, pads=[4] * 4)
    expected = partition(alone.network(same_alone), [same_alone], Grid(3, 1), balanced=True)
    assert [tile.outputs for tile in stage.tiles] == [tile.outputs for tile in expected.tiles]
    assert [tile.outputs[0].height for tile in stage.tiles] == [9, 6, 9]
    assert len({tile.inputs[0].height for tile in stage.tiles}) <= 2


def test_a_stage_cannot_begin_where_maps_leak(two_stages):
    with pytest.raises(CutError, match="also need early"):
        partition(two_stages, ["early", "deeper"], Grid(1, 1), after=["deep"])
