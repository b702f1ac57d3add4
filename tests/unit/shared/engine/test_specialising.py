from __future__ import annotations

import numpy as np
import onnx
from hypothesis import given, settings

from shared.engine.building import PADS_INPUT
from shared.engine.sessions import SpecialEngine
from shared.engine.specialising import specialise
from shared.ftp.grid import Grid
from shared.model.loading import describe_network
from tests.networks import ModelBuilder
from tests.unit.random_networks import tiling_cases
from tests.unit.shared.engine.running import assert_same, build_stage, merge_tiles, random_pixels, run_whole


def run_special(model, stage, program, pixels):
    """Tiles by a session of its own for each kind."""
    loaded = onnx.load_from_string(program)
    engines = {form.kind: SpecialEngine(specialise(loaded, form).SerializeToString()) for form in stage.forms}
    return merge_tiles(
        model, stage, pixels, lambda tile_pixels, tile: engines[tile.form.kind].run(tile.form, [tile_pixels])[0]
    )


@settings(max_examples=150, deadline=None)
@given(tiling_cases())
def test_programs_for_each_kind_of_tile_make_what_the_whole_network_makes(case):
    stage, program = build_stage(case.model, case.cut, case.grid)
    kinds = {tile.pads for tile in stage.tiles}
    pixels = random_pixels(*describe_network(case.model, "random").input_size)
    if len(kinds) <= 12:
        assert_same(run_special(case.model, stage, program, pixels), run_whole(case.original, case.cut, pixels))


def small(*, transposed=False):
    build = ModelBuilder(24, 24)
    conv = build.conv("image", 4, 3, pads=[1] * 4)
    pool = build.layer("MaxPool", conv, kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    last = build.conv(pool, 4, 3, pads=[1] * 4)
    if transposed:
        last = build.conv(last, 2, 4, op="ConvTranspose", strides=[2, 2], pads=[1] * 4)
    return build.model(last), last


def specialised(model, cut, tile=0):
    stage, program = build_stage(model, [cut], Grid(3, 3))
    return specialise(onnx.load_from_string(program), stage.tiles[tile].form).graph


def test_borders_go_back_into_convolutions_and_pools():
    model, cut = small()
    nodes = specialised(model, cut).node
    assert "Pad" not in {node.op_type for node in nodes}
    pads = [list(part.ints) for node in nodes for part in node.attribute if part.name == "pads"]
    assert pads == [[1, 1, 0, 0]] * 3


def test_the_crop_behind_a_transposed_convolution_becomes_its_padding():
    model, cut = small(transposed=True)
    nodes = specialised(model, cut, tile=4).node
    assert {node.op_type for node in nodes} & {"Pad", "Slice"} == set()


def test_a_tile_inside_has_no_pads_and_no_input_for_them():
    model, cut = small()
    graph = specialised(model, cut, tile=4)
    assert [value.name for value in graph.input] == ["pixels"]
    assert PADS_INPUT not in {name for node in graph.node for name in node.input}
    assert not [part for node in graph.node for part in node.attribute if part.name == "pads" and any(part.ints)]


def test_a_crop_becomes_a_slice():
    build = ModelBuilder(12, 12)
    shared = build.layer("LeakyRelu", "image", name="shared")
    joined = build.layer("Concat", build.conv(shared, 4, 1), build.conv(shared, 4, 5, pads=[2] * 4), axis=1)
    model = build.model(joined)
    assert [node.op_type for node in specialised(model, joined, tile=4).node].count("Slice") == 1


def test_the_program_itself_stays_as_it_is():
    model, cut = small()
    stage, program = build_stage(model, [cut], Grid(3, 3))
    loaded = onnx.load_from_string(program)
    specialise(loaded, stage.tiles[0].form)
    assert loaded.SerializeToString(deterministic=True) == program


def test_every_output_keeps_its_name_when_nothing_is_cropped():
    build = ModelBuilder(8, 8)
    enlarged = build.layer(
        "Resize", build.conv("image", 2, 1), "", build.constant("scales", np.array([1, 1, 2, 2], np.float32)),
        mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor", name="enlarged",
    )  # fmt: skip
    far = build.conv(enlarged, 2, 3, pads=[1] * 4, name="far")
    model = build.model("enlarged", far)
    stage, program = build_stage(model, ["enlarged", far], Grid(2, 2))
    pixels = random_pixels(8, 8)
    assert_same(run_special(model, stage, program, pixels), run_whole(model, ["enlarged", far], pixels))
