from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from shared.engine.building import build_program
from shared.engine.program_manifest import form_to_json
from shared.engine.sessions import NetworkSession, PaddingEngine, open_session
from shared.errors import ModelError
from shared.ftp.grid import Grid
from shared.ftp.tiles import partition
from shared.model.cutting import head_model
from shared.model.loading import describe_network
from shared.model.normalising import normalise
from shared.model.spec import Preprocessing
from tests.networks import ModelBuilder, yolov2_first_16

WEIGHTS_BYTES = 13_686_272
"""Of YOLOv2's first 16 layers, float32."""


def program_of(model, tensor, grid):
    network = describe_network(model, "test")
    stage = partition(network, [tensor], grid)
    return stage, build_program(head_model(model, network, [tensor]), stage, Preprocessing())


@pytest.mark.parametrize("program", [b"", b"garbage", b"\x08\x0a" * 100])
def test_bytes_that_are_no_program_are_refused(program):
    with pytest.raises(ModelError, match="onnxruntime cannot load the model"):
        PaddingEngine(program)


def test_a_file_that_is_no_program_is_refused(tmp_path):
    path = tmp_path / "program.onnx"
    path.write_text("garbage")
    with pytest.raises(ModelError, match="onnxruntime cannot load the model"):
        PaddingEngine(path)


def test_a_file_that_is_missing_is_refused_by_name(tmp_path):
    with pytest.raises(ModelError, match=r"missing\.onnx"):
        NetworkSession(tmp_path / "missing.onnx")


@pytest.mark.parametrize("threads", [1, 2])
def test_a_session_computes_in_as_many_threads_as_it_was_given(threads):
    build = ModelBuilder(8, 8)
    session = open_session(build.model(build.conv("image", 4, 3)).SerializeToString(), threads)
    assert session.get_session_options().intra_op_num_threads == threads


def test_threads_do_not_change_the_result():
    build = ModelBuilder(32, 32)
    stage, program = program_of(build.model(build.conv("image", 16, 3, name="conv", pads=[1] * 4)), "conv", Grid(1, 1))
    pixels = np.random.default_rng(1).integers(0, 256, (32, 32, 3), np.uint8)
    one, two = (PaddingEngine(program, threads).run(stage.tiles[0].form, [pixels])[0][0] for threads in (1, 2))
    np.testing.assert_allclose(one, two, rtol=0, atol=1e-6)


def test_pixels_need_not_be_contiguous():
    build = ModelBuilder(16, 16)
    stage, program = program_of(build.model(build.conv("image", 4, 3, name="conv")), "conv", Grid(2, 2))
    pixels = np.random.default_rng(1).integers(0, 256, (16, 16, 3), np.uint8)
    engine, tile = PaddingEngine(program), stage.tiles[3]
    view = pixels[tile.inputs[0].slices]
    assert not view.flags.c_contiguous
    np.testing.assert_array_equal(engine.run(tile.form, [view])[0][0], engine.run(tile.form, [view.copy()])[0][0])


def test_a_program_runs_from_its_file_as_from_its_bytes(tmp_path):
    build = ModelBuilder(8, 8)
    stage, program = program_of(build.model(build.conv("image", 4, 3, name="conv", pads=[1] * 4)), "conv", Grid(2, 2))
    path = tmp_path / "program.onnx"
    path.write_bytes(program)
    pixels = np.full((5, 5, 3), 9, np.uint8)
    form = stage.tiles[0].form
    one, other = (PaddingEngine(source).run(form, [pixels])[0] for source in (path, program))
    np.testing.assert_array_equal(one[0], other[0])


def test_a_network_gives_its_outputs_by_name():
    build = ModelBuilder(8, 8)
    conv = build.conv("image", 4, 3, name="conv")
    network = NetworkSession(build.model(build.layer("Relu", conv, name="relu"), conv).SerializeToString())
    made = network.run({"image": np.ones((1, 3, 8, 8), np.float32)})
    assert set(made) == set(network.outputs) == {"relu", "conv"}
    np.testing.assert_array_equal(made["relu"], np.maximum(made["conv"], 0))


def test_normalising_subtracts_the_mean_and_divides_by_the_deviation_of_each_channel():
    pixels = np.array([[[10, 20, 30], [40, 50, 60]]], np.uint8)
    made = normalise(pixels, Preprocessing(mean=(10, 10, 10), std=(10, 20, 5)))
    assert made.dtype == np.float32
    assert made.shape == (1, 3, 1, 2)
    assert made[0, :, 0].tolist() == [[0, 3], [0.5, 2], [4, 10]]


@pytest.mark.parametrize(
    "preprocessing",
    [
        Preprocessing(),
        Preprocessing(mean=(103.53, 116.28, 123.675), std=(57.375, 57.12, 58.395)),
        Preprocessing(mean=(0.1, 255, -3), std=(1e-3, 1, 7)),
    ],
)
@pytest.mark.parametrize("size", [(1, 1), (16, 17), (100, 3)])
def test_normalised_values_are_those_of_the_formula_bit_for_bit(size, preprocessing):
    pixels = np.random.default_rng(1).integers(0, 256, (*size, 3), np.uint8)
    mean, std = np.array(preprocessing.mean, np.float32), np.array(preprocessing.std, np.float32)
    expected = ((pixels.astype(np.float32) - mean) / std).transpose(2, 0, 1)[np.newaxis]
    made = normalise(pixels, preprocessing)
    assert made.flags.c_contiguous
    assert np.array_equal(made.view(np.uint32), np.ascontiguousarray(expected).view(np.uint32))
    view = np.concatenate([pixels, pixels], axis=1)[:, : size[1]]
    assert np.array_equal(normalise(view, preprocessing), made)


MEASURE = """
import json, sys
import numpy as np
from shared.engine.program_manifest import form_from_json
from shared.engine.sessions import PaddingEngine
program, tiles = sys.argv[1], json.loads(sys.argv[2])
engine = PaddingEngine(program)
for form in map(form_from_json, tiles):
    engine.run(form, [np.zeros((*form.sizes[0], 3), np.uint8)])
with open("/proc/self/status") as status:
    print(next(line.split()[1] for line in status if line.startswith("VmHWM")))
"""
"""Runs tiles in one engine and prints the peak of its memory in KiB.

Not from getrusage: after a fork that still counts the memory of the parent.
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the peak of the memory from /proc")
def test_tiles_of_every_kind_need_hardly_more_memory_than_tiles_of_one_kind(tmp_path):
    model = yolov2_first_16(416)
    assert sum(len(tensor.raw_data) for tensor in model.graph.initializer) == WEIGHTS_BYTES
    stage, program = program_of(model, "layer_15", Grid(5, 5))
    path = tmp_path / "program.onnx"
    path.write_bytes(program)
    assert len({tile.pads for tile in stage.tiles}) == 9

    def peak_bytes(tiles):
        listed = json.dumps([form_to_json(tile.form) for tile in tiles])
        command = [sys.executable, "-c", MEASURE, str(path), listed]
        return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout) * 1024

    largest = max(stage.tiles, key=lambda tile: tile.inputs[0].area)
    one_kind, every_kind = peak_bytes([largest] * len(stage.tiles)), peak_bytes(stage.tiles)
    assert every_kind < one_kind + WEIGHTS_BYTES
