from __future__ import annotations

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.models.catalogue import Model
from gateway.quantization.int8 import quantize
from shared.engine.preparing import prepare_program
from shared.engine.sessions import PaddingEngine, PreparedEngine, SpecialEngine
from shared.ftp.grid import Grid
from shared.ftp.reuse import with_reuse
from shared.ftp.tiles import partition
from shared.model.loading import describe_network
from shared.model.spec import CompleteSpec
from tests.extent import examples
from tests.networks import ModelBuilder
from tests.unit.random_networks import DENSE, tiling_cases
from tests.unit.shared.engine.running import (
    PREPARATION,
    assert_same,
    build_stage,
    merge_reusing,
    merge_tiles,
    open_prepared,
    random_pixels,
    run_whole,
    special_engines,
)

MAX_FORMS = 20
"""Sessions that one example opens."""


def assert_reuse_is_exact(case):
    stage, program = build_stage(case.model, case.cut, case.grid, reuse=True)
    if len(stage.forms) <= MAX_FORMS:
        pixels = random_pixels(*describe_network(case.model, "random").input_size)
        tiled = merge_reusing(case.model, stage, [pixels], special_engines(program))
        assert_same(tiled, run_whole(case.original, case.cut, pixels))


@settings(max_examples=examples(150))
@given(tiling_cases())
def test_tiles_of_any_network_that_hand_on_strips_make_what_the_whole_network_makes(case):
    assert_reuse_is_exact(case)


@settings(max_examples=examples(100))
@given(tiling_cases(kinds=DENSE))
def test_tiles_of_convolutions_that_hand_on_strips_make_what_the_whole_network_makes(case):
    assert_reuse_is_exact(case)


@settings(max_examples=examples(100))
@given(tiling_cases())
def test_an_engine_that_hands_on_nothing_computes_the_same_stage(case):
    stage, program = build_stage(case.model, case.cut, case.grid, reuse=True)
    pixels, engine = random_pixels(*describe_network(case.model, "random").input_size), PaddingEngine(program)
    tiled = merge_tiles(case.model, stage, pixels, lambda part, tile: engine.run(tile.form, [part])[0])
    assert_same(tiled, run_whole(case.original, case.cut, pixels))


@settings(max_examples=examples(15), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(case=tiling_cases(), number=st.uuids())
def test_prepared_tiles_of_any_network_hand_on_strips(case, number, tmp_path):
    grid = Grid(min(3, case.grid.rows), min(3, case.grid.columns))
    stage, program = build_stage(case.model, case.cut, grid, reuse=True)
    (tmp_path / f"{number}.onnx").write_bytes(program)
    prepare_program(tmp_path / f"{number}.onnx", stage.forms, tmp_path / str(number))
    engine = open_prepared(tmp_path / str(number))
    pixels = random_pixels(*describe_network(case.model, "random").input_size)
    tiled = merge_reusing(case.model, stage, [pixels], lambda _: engine)
    assert_same(tiled, run_whole(case.original, case.cut, pixels))


def branched():
    """Return a trunk, two kernels side by side and a sum, as wide as the fast kernels need."""
    build = ModelBuilder(48, 48)
    trunk = build.layer("LeakyRelu", build.conv("image", 16, 3, strides=[2, 2], pads=[1] * 4), alpha=0.1)
    near, far = build.conv(trunk, 16, 1), build.conv(trunk, 16, 5, pads=[2] * 4)
    both = build.layer("Relu", build.layer("Add", near, far))
    return build.model(build.conv(both, 16, 3, pads=[1] * 4, name="last"))


@pytest.mark.parametrize("grid", [Grid(1, 3), Grid(3, 1), Grid(2, 2), Grid(3, 3), Grid(4, 5)], ids=str)
def test_prepared_tiles_with_strips_equal_the_whole_whatever_the_grid(grid, tmp_path):
    model = branched()
    stage, program = build_stage(model, ["last"], grid, reuse=True)
    assert len(stage.joints) > 1
    (tmp_path / "program.onnx").write_bytes(program)
    prepare_program(tmp_path / "program.onnx", stage.forms, tmp_path / "prepared")
    engine, pixels = open_prepared(tmp_path / "prepared"), random_pixels(48, 48)
    assert_same(merge_reusing(model, stage, [pixels], lambda _: engine), run_whole(model, ["last"], pixels))


def test_strips_are_used_and_not_computed_again():
    """Other strips make another result."""
    model = branched()
    stage, program = build_stage(model, ["last"], Grid(3, 3), reuse=True)
    engine_of, pixels = special_engines(program), random_pixels(48, 48)
    for tile in filter(None, stage.reusing):
        channels = [16] * len(stage.joints)
        made = []
        for changed in range(-1, len(tile.taken)):
            strips = [
                np.full((1, channels[strip.joint], strip.region.height, strip.region.width), number == changed, "f4")
                for number, strip in enumerate(tile.taken)
            ]
            made.append(engine_of(tile.form).run(tile.form, [pixels[tile.inputs[0].slices]], strips)[0][0])
        assert all(not np.array_equal(other, made[0]) for other in made[1:])


def test_the_plain_engine_says_that_it_hands_on_nothing():
    assert [engine.reuses for engine in (PaddingEngine, SpecialEngine, PreparedEngine)] == [False, True, True]


SIZE = 96


class Noise:
    """Pictures to quantise with."""

    fps = 1.0

    def pictures(self):
        random = np.random.default_rng(7)
        for _ in range(3):
            yield random.integers(0, 256, (SIZE, SIZE, 3), np.uint8)


@pytest.fixture(scope="module", params=["LeakyRelu", "Relu", "HardSwish"])
def quantised(request, tmp_path_factory):
    """Return a network in int8 (QDQ) with a branch that is joined by a sum, and its tail."""
    build = ModelBuilder(SIZE, SIZE)

    def conv(source, filters, kernel, stride=1):
        made = build.conv(source, filters, kernel, strides=[stride] * 2, pads=[kernel // 2] * 4)
        return build.layer(request.param, made)

    trunk = build.layer("MaxPool", conv("image", 16, 3, 2), kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    joined = build.layer("Add", conv(conv(trunk, 16, 3), 16, 1), trunk)
    deep = build.layer("Concat", conv(joined, 16, 3), joined, axis=1, name="deep")
    proto = build.model(build.conv(build.layer("Relu", build.conv(deep, 8, 3, pads=[1] * 4)), 4, 1))
    spec = CompleteSpec(name="small", file="small.onnx", preprocessing=PREPARATION, cut=("deep",))
    folder = tmp_path_factory.mktemp("int8")
    return quantize(Model(spec, proto, proto, describe_network(proto, "small")), Noise(), folder / "small.onnx").model


@pytest.fixture(scope="module")
def quantised_whole(quantised):
    pixels = next(Noise().pictures())
    shown = onnx.ModelProto()
    shown.CopyFrom(quantised.original)
    shown.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in quantised.spec.cut)
    whole = run_whole(shown, quantised.spec.cut, pixels)
    assert all(array.std() > 1e-3 for array in whole)
    return pixels, whole


@pytest.mark.parametrize("grid", [Grid(1, 2), Grid(2, 2), Grid(3, 3), Grid(5, 5)], ids=str)
def test_int8_tiles_that_hand_on_strips_equal_the_int8_whole_exactly(quantised, quantised_whole, grid, tmp_path):
    stage, program = build_stage(quantised.proto, quantised.spec.cut, grid, reuse=True)
    pixels, whole = quantised_whole
    assert stage.joints
    (tmp_path / "program.onnx").write_bytes(program)
    prepare_program(tmp_path / "program.onnx", stage.forms, tmp_path / "prepared")
    engine = open_prepared(tmp_path / "prepared")
    for engine_of in (special_engines(program), lambda _: engine):
        for made, expected in zip(merge_reusing(quantised.proto, stage, [pixels], engine_of), whole, strict=True):
            np.testing.assert_array_equal(made, expected)


def test_strips_of_int8_maps_have_a_byte_for_each_cell(quantised):
    network = quantised.network
    stage = with_reuse(network, partition(network, quantised.spec.cut, Grid(3, 3)))
    assert {network.types.get(joint, "float32") for joint in stage.joints} == {"uint8"}
