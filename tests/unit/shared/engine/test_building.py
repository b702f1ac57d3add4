from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings

from shared.engine.building import PADS_INPUT
from shared.engine.program_manifest import PIXELS_INPUT
from shared.engine.sessions import PaddingEngine
from shared.ftp.grid import Grid
from shared.model.loading import describe_network
from tests.extent import examples
from tests.networks import ModelBuilder
from tests.unit.random_networks import DENSE, tiling_cases
from tests.unit.shared.engine.running import (
    assert_same,
    build_stage,
    merge_reusing,
    merge_tiles,
    prepare,
    random_pixels,
    run_whole,
    special_engines,
)


def run_tiles(model, cut, grid, pixels):
    stage, program = build_stage(model, cut, grid)
    engine = PaddingEngine(program)
    return merge_tiles(model, stage, pixels, lambda tile_pixels, tile: engine.run(tile.form, [tile_pixels])[0])


@settings(max_examples=examples(300))
@given(tiling_cases())
def test_tiles_of_any_network_make_what_the_whole_network_makes(case):
    network = describe_network(case.model, "random")
    pixels = random_pixels(*network.input_size)
    tiled = run_tiles(case.model, case.cut, case.grid, pixels)
    assert_same(tiled, run_whole(case.original, case.cut, pixels))


@settings(max_examples=examples(100))
@given(tiling_cases(kinds=DENSE))
def test_a_region_is_the_smallest_that_suffices(case):
    """One row or column less: what it holds changes the tile."""
    network = describe_network(case.model, "random")
    stage, _ = build_stage(case.model, case.cut, case.grid)
    pixels = random_pixels(*network.input_size)
    session = onnxruntime.InferenceSession(case.original.SerializeToString(), providers=["CPUExecutionProvider"])
    before = session.run(list(case.cut), {"image": prepare(pixels)})
    for tile in stage.tiles[:4]:
        rows, columns = tile.inputs[0].slices
        for edge in ((rows.start, columns), (rows.stop - 1, columns), (rows, columns.start), (rows, columns.stop - 1)):
            changed = pixels.copy()
            changed[edge] ^= 128
            after = session.run(list(case.cut), {"image": prepare(changed)})
            assert any(
                not np.array_equal(one[:, :, *region.slices], other[:, :, *region.slices])
                for one, other, region in zip(before, after, tile.outputs, strict=True)
            ), f"tile {tile.index} does not need {edge} of {tile.inputs[0]}"


def test_tiles_that_lie_in_the_padding_are_exact():
    build = ModelBuilder(8, 8)
    conv = build.conv(build.conv("image", 2, 3), 2, 1, pads=[2, 2, 2, 2])
    model, pixels = build.model(conv), random_pixels(8, 8)
    (made,) = run_tiles(model, [conv], Grid(10, 1), pixels)
    np.testing.assert_allclose(made, run_whole(model, [conv], pixels)[0], rtol=0, atol=1e-5)


@pytest.fixture
def branched():
    """Return a small network with a branch, two kernels and a stride."""
    build = ModelBuilder(24, 24)
    trunk = build.layer("LeakyRelu", build.conv("image", 8, 3, strides=[2, 2], pads=[1] * 4), alpha=0.1)
    left, right = build.conv(trunk, 4, 1), build.conv(trunk, 4, 5, pads=[2] * 4)
    joined = build.layer("Concat", left, right, name="joined", axis=1)
    return build.model(joined)


def weight_bytes(model):
    """Bytes of all floating point constants of more than the 3 channels of the preparation."""
    return sum(
        array.nbytes
        for array in map(onnx.numpy_helper.to_array, model.graph.initializer)
        if array.dtype == np.float32 and array.size > 3
    )


@pytest.mark.parametrize("grid", [Grid(1, 1), Grid(2, 3), Grid(6, 6)], ids=str)
def test_a_program_holds_every_weight_once_whatever_the_grid(branched, grid):
    _, program = build_stage(branched, ["joined"], grid)
    assert weight_bytes(onnx.load_from_string(program)) == weight_bytes(branched) > 0


def test_grids_of_tiles_with_the_same_edges_have_the_same_program(branched):
    programs = {build_stage(branched, ["joined"], Grid(*size))[1] for size in ((2, 2), (3, 4), (6, 6))}
    assert len(programs) == 1


def test_a_program_is_the_same_bytes_every_time(branched):
    assert build_stage(branched, ["joined"], Grid(3, 3))[1] == build_stage(branched, ["joined"], Grid(3, 3))[1]


def test_a_program_takes_pixels_and_pads_and_gives_the_maps_in_order():
    build = ModelBuilder(16, 16)
    fine = build.conv("image", 4, 3, pads=[1] * 4, name="fine")
    coarse = build.layer("MaxPool", fine, name="coarse", kernel_shape=[2, 2], strides=[2, 2])
    stage, program = build_stage(build.model(fine, coarse), ["coarse", "fine"], Grid(2, 2))
    graph = onnx.load_from_string(program).graph
    assert [value.name for value in graph.input] == [PIXELS_INPUT, PADS_INPUT]
    made, given_strips = PaddingEngine(program).run(stage.tiles[0].form, [random_pixels(9, 9)])
    assert given_strips == []
    assert [array.shape for array in made] == [(1, 4, 4, 4), (1, 4, 8, 8)]


def test_a_stage_without_pads_makes_a_program_without_that_input():
    build = ModelBuilder(8, 8)
    pool = build.layer("MaxPool", "image", kernel_shape=[2, 2], strides=[2, 2])
    _, program = build_stage(build.model(pool), [pool], Grid(2, 2))
    assert [value.name for value in onnx.load_from_string(program).graph.input] == [PIXELS_INPUT]


def test_a_tensor_at_the_cut_that_is_cropped_is_exact():
    build = ModelBuilder(24, 24)
    near = build.conv("image", 4, 3, pads=[1] * 4)
    far = build.conv(near, 4, 5, pads=[2] * 4)
    model, pixels = build.model(near, far), random_pixels(24, 24)
    for made, expected in zip(
        run_tiles(model, [near, far], Grid(3, 3), pixels), run_whole(model, [near, far], pixels), strict=True
    ):
        np.testing.assert_allclose(made, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("auto_pad", ["SAME_UPPER", "SAME_LOWER", "VALID"])
def test_automatic_padding_is_exact(auto_pad):
    build = ModelBuilder(17, 18)
    conv = build.conv("image", 4, 4, strides=[2, 2], auto_pad=auto_pad)
    pool = build.layer("MaxPool", conv, kernel_shape=[2, 3], auto_pad=auto_pad)
    model, pixels = build.model(pool), random_pixels(17, 18)
    (made,) = run_tiles(model, [pool], Grid(3, 3), pixels)
    np.testing.assert_allclose(made, run_whole(model, [pool], pixels)[0], rtol=0, atol=1e-5)


def test_a_pool_does_not_take_its_border_for_zero():
    build = ModelBuilder(12, 12)
    negative = build.layer("Sub", "image", constants={"much": np.float32(1000.0)})
    pool = build.layer("MaxPool", negative, kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    (made,) = run_tiles(build.model(pool), [pool], Grid(3, 3), random_pixels(12, 12))
    assert made.max() < -900


@pytest.mark.parametrize("opset", [11, 13, 17])
def test_a_model_of_an_older_operator_set_is_converted(branched, opset):
    pixels = random_pixels(24, 24)
    branched.opset_import[0].version = opset  # its layers were written in the same way then
    onnx.checker.check_model(branched, full_check=True)
    (made,) = run_tiles(branched, ["joined"], Grid(2, 2), pixels)
    np.testing.assert_allclose(made, run_whole(branched, ["joined"], pixels)[0], rtol=0, atol=1e-5)


def test_layers_without_names_can_be_tiled(branched):
    for node in branched.graph.node:
        node.name = ""
    pixels = random_pixels(24, 24)
    (made,) = run_tiles(branched, ["joined"], Grid(2, 2), pixels)
    np.testing.assert_allclose(made, run_whole(branched, ["joined"], pixels)[0], rtol=0, atol=1e-5)


@pytest.mark.parametrize("near", ["Conv", "MaxPool", "Identity"])
@pytest.mark.parametrize("reuse", [False, True])
def test_a_quantised_map_of_which_every_reader_has_floats_of_its_own_is_exact(near, reuse):
    """A DequantizeLinear for each reader, one of which needs less of the map than the other."""
    build = ModelBuilder(24, 24)
    build.constant("scale", np.float32(0.05))
    build.constant("zero", np.uint8(128))
    map_ = build.layer("QuantizeLinear", build.conv("image", 4, 3, pads=[1] * 4), "scale", "zero", channels=4)
    one, two = (build.layer("DequantizeLinear", map_, "scale", "zero", channels=4) for _ in range(2))
    if near == "Conv":
        one = build.conv(one, 4, 3, pads=[1] * 4)
    elif near == "MaxPool":
        one = build.layer("MaxPool", one, kernel_shape=[3, 3], pads=[1] * 4)
    joined = build.layer("Concat", one, build.conv(two, 4, 5, pads=[2] * 4), axis=1)
    model, pixels = build.model(joined), random_pixels(24, 24)
    stage, program = build_stage(model, [joined], Grid(3, 3), reuse=reuse)
    whole = run_whole(model, [joined], pixels)
    assert_same(merge_reusing(model, stage, [pixels], special_engines(program)), whole)
    engine = PaddingEngine(program)
    assert_same(merge_tiles(model, stage, pixels, lambda part, tile: engine.run(tile.form, [part])[0]), whole)


@pytest.mark.parametrize("value", [0.0, 0.5, -3.0])
def test_a_quantised_map_is_padded_with_a_value_that_it_may_not_have_itself(value):
    build = ModelBuilder(12, 12)
    scale, zero = build.constant("scale", np.float32(0.05)), build.constant("zero", np.uint8(10))
    map_ = build.layer("QuantizeLinear", build.conv("image", 4, 1), scale, zero, channels=4)
    floats = build.layer("DequantizeLinear", map_, scale, zero, channels=4)
    constants = {"amounts": np.array([0, 0, 1, 2, 0, 0, 2, 1]), "value": np.array(value)}
    last = build.conv(build.layer("Pad", floats, constants=constants), 2, 3)
    model, pixels = build.model(last), random_pixels(12, 12)
    assert_same(run_tiles(model, [last], Grid(3, 3), pixels), run_whole(model, [last], pixels))


def test_channels_in_another_order_are_tiled_with_their_map():
    """Swap BGR and RGB by a Gather, or a Slice that goes backwards."""
    build = ModelBuilder(24, 18)
    order = build.constant("order", np.array([2, 0, 1]))
    picked = build.layer("Gather", "image", order, axis=1)
    build.conv(picked, 4, 3, name="conv", pads=[1] * 4)
    back = {"starts": [-1], "ends": [-9], "axes": [1], "steps": [-1]}
    build.layer("Slice", "conv", name="last", constants={name: np.array(value) for name, value in back.items()})
    model, pixels = build.model("last"), random_pixels(24, 18)
    assert_same(run_tiles(model, ["last"], Grid(3, 2), pixels), run_whole(model, ["last"], pixels))
