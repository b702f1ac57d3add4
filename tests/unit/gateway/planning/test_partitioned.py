from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest

from gateway.models.catalogue import MODELS, Model
from gateway.planning.methods import Method, chained_stages
from gateway.planning.partitioned import Difference, PartitionedModel, TiledHead, WholeHead, compare_maps, verify_tiles
from shared.errors import ConfigurationError, CutError
from shared.ftp.grid import Grid
from shared.model.loading import describe_network
from shared.model.spec import ModelSpec, Preprocessing
from tests.networks import yolov2_first_16

USUAL = {"1x1", "1x6", "2x3", "3x3", "4x1", "6x6"}
"""One whole, single rows and columns, and tiles in the middle or not: no other grid has yet said anything else."""

GRIDS = [
    pytest.param(grid, id=str(grid), marks=() if str(grid) in USUAL else pytest.mark.long)
    for grid in (Grid(rows, columns) for rows in range(1, 7) for columns in range(1, 7))
]

TOLERANCE = 1e-5
"""In units of the maps."""

RELATIVE_TOLERANCE = 1e-4
"""In standard deviations of a map, for maps of small values."""


def run_whole(proto, tensors, pixels, preprocessing):
    """The reference: onnxruntime runs the model as it is, and nothing of the project takes part."""
    model = onnx.ModelProto()
    model.CopyFrom(proto)
    del model.graph.output[:]
    model.graph.output.extend(onnx.helper.make_empty_tensor_value_info(tensor) for tensor in tensors)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    image = (pixels.astype(np.float32) - np.float32(preprocessing.mean)) / np.float32(preprocessing.std)
    return session.run(tensors, {session.get_inputs()[0].name: np.ascontiguousarray(image.transpose(2, 0, 1)[None])})


def assert_exact(model, grid, cut, pixels, whole, **method):
    tiled = TiledHead(PartitionedModel.of(model, grid, cut, **method), threads=1).run(pixels)
    for made, expected in zip(tiled, whole, strict=True):
        assert made.shape == expected.shape
        assert expected.std() > 1e-3, "a map without values proves nothing"
        assert np.abs(made - expected).max() <= min(TOLERANCE, RELATIVE_TOLERANCE * expected.std())


@pytest.fixture(scope="module")
def whole_street(nanodet, street):
    """The built-in model's map at its cut, from the file as it is in the repository."""
    proto = onnx.load(MODELS / "nanodet-g" / "nanodet-g.onnx")
    return run_whole(proto, list(nanodet.spec.cut), street, nanodet.spec.preprocessing)


@pytest.mark.parametrize("grid", GRIDS)
def test_the_built_in_model_in_tiles_equals_the_whole(nanodet, street, whole_street, grid):
    assert_exact(nanodet, grid, None, street, whole_street)


@pytest.mark.parametrize("grid", [Grid(1, 1), Grid(2, 3), Grid(3, 3), Grid(6, 6)], ids=str)
def test_the_built_in_model_cut_behind_maps_of_three_strides_equals_the_whole(nanodet, street, grid):
    cut = ["concat_28", "concat_44", "concat_65"]
    whole = run_whole(nanodet.proto, cut, street, nanodet.spec.preprocessing)
    assert [array.shape[2] for array in whole] == [52, 26, 13]
    assert_exact(nanodet, grid, ",".join(cut), street, whole)


SIZES = [pytest.param(416, id="416"), pytest.param(608, id="608", marks=pytest.mark.slow)]


@pytest.fixture(scope="module", params=SIZES)
def yolov2(request):
    """YOLOv2's first 16 layers, random pixels, and the unpartitioned result: once for each size."""
    size = request.param
    proto = yolov2_first_16(size)
    spec = ModelSpec(name="yolov2", file="", preprocessing=Preprocessing())
    pixels = np.random.default_rng(size).integers(0, 256, (size, size, 3), np.uint8)
    model = Model(spec, proto, proto, describe_network(proto, spec.name))
    return model, pixels, run_whole(proto, ["layer_15"], pixels, spec.preprocessing)


@pytest.mark.parametrize("grid", GRIDS)
def test_the_layers_that_the_paper_fuses_in_tiles_equal_the_whole(yolov2, grid):
    model, pixels, whole = yolov2
    assert_exact(model, grid, "layer_15", pixels, whole)


def test_the_whole_head_is_the_unpartitioned_model(nanodet, street, whole_street):
    made = WholeHead(PartitionedModel.of(nanodet, Grid(3, 3)), threads=1).run(street)
    np.testing.assert_allclose(made[0], whole_street[0], rtol=0, atol=TOLERANCE)


def test_comparing_finds_the_largest_difference_of_all_maps():
    whole = [np.zeros((1, 1, 2, 2), np.float32), np.full((1, 1, 1, 4), 2, np.float32)]
    tiled = [array.copy() for array in whole]
    tiled[1][0, 0, 0, 3] = -1
    difference = compare_maps(tiled, whole)
    assert (difference.max_abs_diff, difference.map_std) == (3, 1)


def test_comparing_maps_with_themselves_finds_nothing(whole_street):
    assert compare_maps(whole_street, whole_street).max_abs_diff == 0


def test_a_map_that_is_no_number_is_not_taken_for_equal():
    whole = [np.zeros((1, 1, 2, 2), np.float32)]
    assert not compare_maps([np.full((1, 1, 2, 2), np.nan, np.float32)], whole).max_abs_diff <= TOLERANCE


METHODS = [
    (Method.WHOLE, Grid(1, 1), ()),
    (Method.BODP, Grid(4, 1), (3, 1, 2, 1)),
    (Method.BODP, Grid(1, 3), ()),
    (Method.STAGED, Grid(4, 1), (3, 1, 2, 1)),
    (Method.STAGED, Grid(2, 3), ()),
    (Method.WSH, Grid(3, 3), ()),
    (Method.WST_S, Grid(3, 3), ()),
    (Method.WST_S, Grid(4, 5), ()),
]


@pytest.mark.parametrize(("method", "grid", "shares"), METHODS)
def test_the_built_in_model_by_every_method_equals_the_whole(nanodet, street, whole_street, method, grid, shares):
    assert_exact(nanodet, grid, None, street, whole_street, method=method, shares=shares)


@pytest.mark.parametrize(("method", "grid", "shares"), METHODS)
def test_the_layers_that_the_paper_fuses_by_every_method_equal_the_whole(yolov2, method, grid, shares):
    model, pixels, whole = yolov2
    assert_exact(model, grid, "layer_15", pixels, whole, method=method, shares=shares)


def test_tiles_of_unequal_size_in_rows_and_columns_equal_the_whole(nanodet, street, whole_street):
    even = PartitionedModel.of(nanodet, Grid(2, 3), None, Method.STAGED)
    stages = chained_stages(nanodet.network, [stage.cut for stage in even.stages], Grid(2, 3), (3, 1, 2, 1, 1, 4))
    tiled = TiledHead(PartitionedModel(nanodet, stages, Method.STAGED), threads=1).run(street)
    assert compare_maps(tiled, whole_street).max_abs_diff <= TOLERANCE


@pytest.mark.parametrize("grid", [Grid(2, 2), Grid(3, 3)], ids=str)
def test_tiles_that_hand_on_strips_as_edges_compute_them_equal_the_whole(nanodet, street, grid):
    partitioned = PartitionedModel.of(nanodet, grid, method=Method.WST_S)
    assert partitioned.stage.joints
    difference, engine = verify_tiles(partitioned, street, threads=1)
    assert difference.exact
    assert engine == "prepared"


def test_every_stage_has_a_program_of_its_own(nanodet):
    assert len(PartitionedModel.of(nanodet, Grid(2, 2)).build_programs()) == 1
    layer_by_layer = PartitionedModel.of(nanodet, Grid(2, 1), method=Method.BODP)
    programs = {program.join() for program in layer_by_layer.build_programs()}
    assert len(programs) == len(layer_by_layer.stages) == len(layer_by_layer.kinds) > 5


def test_the_tail_turns_the_maps_at_the_cut_into_the_models_outputs(nanodet, street):
    partitioned = PartitionedModel.of(nanodet, Grid(2, 2))
    tail = partitioned.tail(threads=1)
    assert tail is not None
    outputs = tail.run(dict(zip(partitioned.stage.cut, TiledHead(partitioned, 1).run(street), strict=True)))
    names = list(nanodet.network.outputs)
    whole = run_whole(nanodet.proto, names, street, nanodet.spec.preprocessing)
    for name, expected in zip(names, whole, strict=True):
        np.testing.assert_allclose(outputs[name], expected, rtol=1e-4, atol=TOLERANCE)


def test_a_cut_behind_the_last_layer_leaves_no_tail():
    proto = yolov2_first_16(64)
    model = Model(ModelSpec(name="small", file=""), proto, proto, describe_network(proto, "small"))
    assert PartitionedModel.of(model, Grid(2, 2), "layer_15").tail(threads=1) is None


def test_map_shapes_are_those_of_the_maps_at_the_cut(nanodet):
    assert PartitionedModel.of(nanodet, Grid(2, 2)).map_shapes == [(1, 128, 52, 52)]


@pytest.mark.parametrize(
    ("grid", "cut", "error"),
    [(Grid(53, 1), None, ConfigurationError), (Grid(1, 1), "nowhere", CutError), (Grid(1, 1), "resize_67", CutError)],
)
def test_what_cannot_be_partitioned_is_refused(nanodet, grid, cut, error):
    with pytest.raises(error):
        PartitionedModel.of(nanodet, grid, cut)


@pytest.mark.parametrize(
    ("difference", "exact"),
    [
        (Difference(0.0, 1.0, 3.0), True),
        (Difference(0.9e-4, 1.0, 3.0), True),
        (Difference(1.1e-4, 1.0, 3.0), False),
        (Difference(1e-6, 0.0, 3.0), True),
        (Difference(1e-5, 0.0, 3.0), False),
        (Difference(2e-7, 0.0, 0.0), True),
        (Difference(float("nan"), 1.0, 3.0), False),
    ],
)
def test_tiles_are_exact_that_differ_by_no_more_than_another_order_of_summation_makes(difference, exact):
    assert difference.exact is exact
