"""Whole networks: one tile up to the outputs, by any engine, equal to onnxruntime on the file as it is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from shared.engine import preparing
from shared.engine.opening import TileKinds, open_engine
from shared.engine.preparing import prepare_program
from shared.engine.program_manifest import WEIGHTS_FILE
from shared.engine.sessions import PaddingEngine
from shared.engine.whole_program import build_whole_program
from shared.errors import ModelError
from shared.ftp.costs import working_bytes
from shared.ftp.tiles import whole_stage
from shared.model.loading import describe_network, load_onnx
from shared.model.plain import to_plain_form
from tests.extent import examples
from tests.networks import ModelBuilder, exported_model
from tests.unit.random_networks import tiling_cases
from tests.unit.shared.engine.running import PREPARATION, open_prepared, prepare, random_pixels

if TYPE_CHECKING:
    from collections.abc import Callable

NETWORKS: dict[str, Callable[[], onnx.ModelProto]] = {}


def network(build):
    """Register a network, an untileable one, by the name of its function."""
    NETWORKS[build.__name__] = build
    return build


def program_of(original):
    plain = to_plain_form(original)
    described = describe_network(plain, "test")
    stage = whole_stage(described)
    kinds = TileKinds.from_forms(stage.forms, working_bytes(described, stage))
    return stage, kinds, build_whole_program(original, plain, described, PREPARATION)


def reference(original, pixels):
    """Return the outputs of the file as it is; nothing of the project takes part."""
    session = onnxruntime.InferenceSession(original.SerializeToString(), providers=["CPUExecutionProvider"])
    (value,) = session.get_inputs()
    return session.run(None, {value.name: prepare(pixels)})


def assert_equal(made, expected):
    for array, other in zip(made, expected, strict=True):
        assert array.dtype == other.dtype
        np.testing.assert_array_equal(array, other)


def model(nodes, constants, outputs, size=(1, 3, 32, 32)):
    """Return a model of these outputs: (element type, shape) by name."""
    made = exported_model(
        nodes, [numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()],
        {"image": size}, {},
    )  # fmt: skip
    made.graph.output.extend(helper.make_tensor_value_info(name, *kind) for name, kind in outputs.items())
    made.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    return made


def kernels(filters, channels=3, size=3):
    return (np.random.default_rng(3).standard_normal((filters, channels, size, size)) * 0.2).astype(np.float32)


@network
def squeeze_and_excitation():
    build = ModelBuilder(33, 47)
    first = build.layer("Relu", build.conv("image", 16, 3, pads=[1] * 4, strides=[2, 2]))
    squeezed = build.layer("Sigmoid", build.conv(build.layer("GlobalAveragePool", first), 16, 1))
    return build.original(build.layer("Mul", first, squeezed), first)


@network
def attention():
    """Patches that look at each other, and a table of the kind (1, N, C) at the end."""
    random = np.random.default_rng(2)
    nodes = [
        helper.make_node("Conv", ["image", "patches"], ["map"], "map", kernel_shape=[8, 8], strides=[8, 8]),
        helper.make_node("Reshape", ["map", "flat"], ["rows"]),
        helper.make_node("Transpose", ["rows"], ["tokens"], perm=[0, 2, 1]),
        *(helper.make_node("MatMul", ["tokens", f"w{part}"], [part]) for part in "qkv"),
        helper.make_node("Transpose", ["k"], ["keys"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["q", "keys"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["weights"], axis=-1),
        helper.make_node("MatMul", ["weights", "v"], ["table"]),
    ]
    constants = {f"w{part}": (random.standard_normal((24, 24)) * 0.2).astype(np.float32) for part in "qkv"}
    constants |= {"patches": kernels(24, size=8), "flat": np.array([1, 24, -1], np.int64)}
    return model(nodes, constants, {"table": (TensorProto.FLOAT, [1, 16, 24])})


@network
def a_class_and_a_scalar():
    nodes = [
        helper.make_node("Conv", ["image", "kernel"], ["map"], kernel_shape=[3, 3]),
        helper.make_node("GlobalAveragePool", ["map"], ["means"]),
        helper.make_node("Flatten", ["means"], ["logits"]),
        helper.make_node("ArgMax", ["logits"], ["class"], axis=1, keepdims=0),
        helper.make_node("ReduceMax", ["logits"], ["score"], keepdims=0),
    ]
    outputs = {
        "class": (TensorProto.INT64, [1]),
        "score": (TensorProto.FLOAT, []),
        "logits": (TensorProto.FLOAT, [1, 5]),
    }
    return model(nodes, {"kernel": kernels(5)}, outputs)


@network
def as_many_rows_as_there_are_objects():
    """NonMaxSuppression: the number of rows depends on the picture."""
    nodes = [
        helper.make_node("Conv", ["image", "kernel"], ["map"], kernel_shape=[8, 8], strides=[8, 8]),
        helper.make_node("Reshape", ["map", "flat"], ["rows"]),
        helper.make_node("Sigmoid", ["rows"], ["all"]),
        helper.make_node("Slice", ["all", "four", "five", "axis"], ["scores"]),
        helper.make_node("Slice", ["all", "none", "four", "axis"], ["corners"]),
        helper.make_node("Transpose", ["corners"], ["boxes"], perm=[0, 2, 1]),
        helper.make_node("NonMaxSuppression", ["boxes", "scores", "most", "overlap", "least"], ["kept"]),
    ]
    constants = {
        "kernel": kernels(5, size=8), "flat": np.array([1, 5, -1], np.int64), "none": np.array([0], np.int64),
        "four": np.array([4], np.int64), "five": np.array([5], np.int64), "axis": np.array([1], np.int64),
        "most": np.array([9], np.int64), "overlap": np.array([0.5], np.float32), "least": np.array([0.5], np.float32),
    }  # fmt: skip
    return model(
        nodes, constants, {"kept": (TensorProto.INT64, ["rows", 3]), "scores": (TensorProto.FLOAT, [1, 1, 16])}
    )


@network
def quantised_dynamically():
    nodes = [
        helper.make_node("DynamicQuantizeLinear", ["image"], ["q", "scale", "zero"]),
        helper.make_node("ConvInteger", ["q", "kernel", "zero"], ["sums"], kernel_shape=[3, 3]),
        helper.make_node("Cast", ["sums"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["floats", "scale"], ["made"]),
    ]
    kernel = np.random.default_rng(4).integers(-60, 60, (8, 3, 3, 3)).astype(np.int8)
    return model(nodes, {"kernel": kernel}, {"made": (TensorProto.FLOAT, [1, 8, 30, 30])})


@network
def a_loop_that_reads_weights_of_the_graph_around_it():
    inner = helper.make_graph(
        [
            helper.make_node("Conv", ["before", "kernel"], ["turned"], kernel_shape=[3, 3], pads=[1] * 4),
            helper.make_node("Identity", ["go_on"], ["goes_on"]),
        ],
        "turn",
        [
            helper.make_tensor_value_info("turn", TensorProto.INT64, []),
            helper.make_tensor_value_info("go_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("before", TensorProto.FLOAT, [1, 3, 32, 32]),
        ],
        [
            helper.make_tensor_value_info("goes_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("turned", TensorProto.FLOAT, [1, 3, 32, 32]),
        ],
    )
    nodes = [helper.make_node("Loop", ["times", "go", "image"], ["made"], body=inner)]
    constants = {"kernel": kernels(3), "times": np.array(3, np.int64), "go": np.array([True]).reshape(())}
    return model(nodes, constants, {"made": (TensorProto.FLOAT, [1, 3, 32, 32])})


@pytest.fixture(params=list(NETWORKS.values()), ids=list(NETWORKS))
def original(request):
    return request.param()


def test_a_network_that_cannot_be_tiled_runs_whole_by_the_plain_engine(original):
    stage, _, program = program_of(original)
    pixels = random_pixels(*stage.tiles[0].form.sizes[0])
    made, strips = PaddingEngine(program).run(stage.tiles[0].form, [pixels])
    assert_equal(made, reference(original, pixels))
    assert strips == []


def test_a_network_that_cannot_be_tiled_is_prepared_and_checked_whole(original, tmp_path):
    stage, kinds, program = program_of(original)
    (tmp_path / "program.onnx").write_bytes(program)
    prepare_program(tmp_path / "program.onnx", kinds.forms, tmp_path / "prepared")
    pixels = random_pixels(*stage.tiles[0].form.sizes[0])
    assert_equal(
        open_prepared(tmp_path / "prepared").run(stage.tiles[0].form, [pixels])[0], reference(original, pixels)
    )


@settings(max_examples=examples(15), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(case=tiling_cases(), number=st.uuids())
def test_any_network_makes_as_a_whole_what_its_file_makes(case, number, tmp_path):
    stage, kinds, program = program_of(case.original)
    path = tmp_path / f"{number}.onnx"
    path.write_bytes(program)
    prepare_program(path, kinds.forms, tmp_path / str(number))
    pixels = random_pixels(*stage.tiles[0].form.sizes[0])
    assert_equal(
        open_prepared(tmp_path / str(number)).run(kinds.forms[0], [pixels])[0], reference(case.original, pixels)
    )


async def test_an_edge_opens_a_whole_network_prepared_with_its_weights_mapped(tmp_path):
    original = squeeze_and_excitation()
    _, kinds, program = program_of(original)
    (tmp_path / "program.onnx").write_bytes(program)
    engine = await open_engine(tmp_path / "program.onnx", kinds, tmp_path)
    assert engine.name == "prepared"
    (folder,) = tmp_path.glob("prepared-*")
    assert (folder / WEIGHTS_FILE).stat().st_size >= 4 * (16 * 3 * 9 + 16 * 16)
    pixels = random_pixels(33, 47)
    assert_equal(engine.run(kinds.forms[0], [pixels])[0], reference(original, pixels))


def test_a_prepared_session_that_is_slower_than_an_ordinary_one_is_refused(tmp_path, monkeypatch):
    """Any session is slower than the limit of this test, so the ordinary one is used."""
    monkeypatch.setattr(preparing, "MAX_SLOWDOWN", 0.0)
    monkeypatch.setattr(preparing, "MAX_LOSS_S", 0.0)
    _, kinds, program = program_of(attention())
    (tmp_path / "program.onnx").write_bytes(program)
    with pytest.raises(ModelError, match=r"an ordinary session is faster: .* ms, against .* ms prepared"):
        prepare_program(tmp_path / "program.onnx", kinds.forms, tmp_path / "prepared")


def test_a_whole_network_is_the_graph_of_the_file_with_nothing_around_it():
    original = squeeze_and_excitation()
    built = onnx.load_from_string(program_of(original)[2])
    assert [node.op_type for node in built.graph.node] == [node.op_type for node in original.graph.node]
    (entry,) = built.metadata_props
    assert json.loads(entry.value) == {"mean": list(PREPARATION.mean), "std": list(PREPARATION.std)}


def test_weights_that_are_listed_as_inputs_are_constants_so_that_they_are_optimised():
    original = squeeze_and_excitation()
    listed = [helper.make_tensor_value_info(t.name, t.data_type, list(t.dims)) for t in original.graph.initializer]
    original.graph.input.extend(listed)
    assert [value.name for value in onnx.load_from_string(program_of(original)[2]).graph.input] == ["image"]


def test_a_picture_with_channels_last_is_read_in_the_plain_form(tmp_path):
    build = ModelBuilder(12, 16)
    nodes = [
        helper.make_node("Transpose", ["picture"], ["image"], perm=[0, 3, 1, 2]),
        *build.original(build.conv("image", 4, 3, name="conv")).graph.node,
    ]
    weights = list(build.original("conv").graph.initializer)
    original = exported_model(nodes, weights, {"picture": (1, 12, 16, 3)}, {"conv": (1, 4, 10, 14)})
    onnx.save(original, tmp_path / "last.onnx")
    stage, _, program = program_of(load_onnx(tmp_path / "last.onnx"))
    pixels = random_pixels(12, 16)
    made = PaddingEngine(program).run(stage.tiles[0].form, [pixels])[0]
    session = onnxruntime.InferenceSession(original.SerializeToString(), providers=["CPUExecutionProvider"])
    expected = session.run(None, {"picture": np.ascontiguousarray(prepare(pixels).transpose(0, 2, 3, 1))})
    np.testing.assert_allclose(made[0], expected[0], rtol=0, atol=1e-5)


def test_the_stage_of_a_whole_network_reads_the_picture_and_has_no_regions_of_outputs():
    described = describe_network(to_plain_form(attention()), "test")
    stage = whole_stage(described)
    assert stage.whole
    assert stage.cut == ("table",)
    assert [tile.outputs for tile in stage.tiles] == [()]
    assert stage.tiles[0].inputs[0].sides == (0, 0, 32, 32)
    assert working_bytes(described, stage) == 4 * (3 * 32 * 32 + 24 * 4 * 4)
