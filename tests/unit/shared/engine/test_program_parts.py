from __future__ import annotations

import errno
import hashlib
import shutil

import numpy as np
import onnx
import pytest

from shared.engine import preparing
from shared.engine.opening import TileKinds, open_engine
from shared.engine.preparing import prepare_program
from shared.engine.program_parts import MIN_APART_BYTES, take_apart
from shared.engine.sessions import PreparedEngine, read_manifest
from shared.engine.whole_program import build_whole_program
from shared.ftp.grid import Grid
from shared.ftp.tiles import whole_stage
from shared.model.cutting import with_outputs
from shared.model.loading import describe_network
from shared.model.plain import to_plain_form
from tests.networks import ModelBuilder
from tests.unit.shared.engine.running import PREPARATION, build_stage, merge_tiles, random_pixels, run_whole


@pytest.fixture(scope="module")
def network():
    """Return a network of two large convolutions, the program of tiles up to the first, and that of the whole."""
    build = ModelBuilder(40, 40)
    first = build.conv(build.conv("image", 64, 3, name="small", pads=[1] * 4), 64, 3, name="first", pads=[1] * 4)
    original = build.original(build.conv(build.layer("GlobalAveragePool", first), 512, 1, name="last"))
    plain = to_plain_form(original)
    described = describe_network(plain, "test")
    stage, tiles = build_stage(plain, ["first"], Grid(2, 2))
    return plain, stage, tiles, whole_stage(described), build_whole_program(original, plain, described, PREPARATION)


def test_large_weights_are_apart_under_their_hash_and_small_ones_stay(network):
    parts = take_apart(network[4])
    assert len(parts.weights) == 2
    assert all(hashlib.sha256(array).hexdigest() == sha256 for sha256, array in parts.weights.items())
    assert all(len(array) >= MIN_APART_BYTES for array in parts.weights.values())
    assert len(parts.graph) < MIN_APART_BYTES
    assert sum(map(len, (parts.graph, *parts.weights.values()))) < len(network[4]) + 2000


def test_programs_of_one_network_share_their_weights(network):
    tiles, whole = take_apart(network[2]), take_apart(network[4])
    assert len(tiles.weights) == 1
    assert tiles.weights.keys() < whole.weights.keys()


def test_joined_parts_are_the_program_and_always_the_same_bytes(network):
    parts = take_apart(network[4])
    assert parts.join() == parts.join()
    assert take_apart(parts.join()) == parts
    joined, program = onnx.load_from_string(parts.join()), onnx.load_from_string(network[4])
    for made, tensor in zip(joined.graph.initializer, program.graph.initializer, strict=True):
        np.testing.assert_array_equal(onnx.numpy_helper.to_array(made), onnx.numpy_helper.to_array(tensor))


def test_what_has_no_large_weights_stays_in_one_piece():
    build = ModelBuilder(8, 8)
    assert take_apart(build.model(build.conv("image", 4, 3)).SerializeToString()) is None
    assert take_apart(b"no program at all") is None


def written(program, folder):
    """Write a program in parts, as an edge keeps it."""
    parts = take_apart(program)
    for sha256, array in parts.weights.items():
        (folder / f"{sha256}.weights").write_bytes(array)
    path = folder / f"{hashlib.sha256(parts.graph).hexdigest()}.onnx"
    path.write_bytes(parts.graph)
    return path


async def test_an_engine_reads_the_weights_beside_the_graph(network, tmp_path):
    plain, stage, tiles, whole, program = network
    pixels = random_pixels(40, 40)
    engine = await open_engine(written(program, tmp_path), TileKinds(whole.forms, 10**6), tmp_path)
    assert engine.name == "prepared"
    made, _ = engine.run(whole.forms[0], [pixels])
    np.testing.assert_allclose(made, run_whole(plain, ["last"], pixels), rtol=0, atol=1e-5)
    tiled = await open_engine(written(tiles, tmp_path), TileKinds(stage.forms, 10**6), tmp_path)
    maps = merge_tiles(plain, stage, pixels, lambda part, tile: tiled.run(tile.form, [part])[0])
    head = with_outputs(plain, ["first"])
    np.testing.assert_allclose(maps, run_whole(head, ["first"], pixels), rtol=0, atol=1e-5)


def prepared(program, stage, folder, name):
    (folder / f"{name}.onnx").write_bytes(program)
    prepare_program(folder / f"{name}.onnx", stage.forms, folder / f"prepared-{name}")
    return {path.name: path for path in (folder / f"prepared-{name}").glob("*.bin") if len(path.stem) == 64}


def test_prepared_programs_of_one_network_have_the_weights_that_they_share_once_on_disk(network, tmp_path):
    _, stage, tiles, whole, program = network
    first = prepared(tiles, stage, tmp_path, "tiles")
    both = prepared(program, whole, tmp_path, "whole")
    (name,) = first
    assert len(both) == 2
    assert both[name].samefile(first[name])
    assert PreparedEngine.open_checked(tmp_path / "prepared-whole", read_manifest(tmp_path / "prepared-whole"))


def test_damaged_weights_of_another_program_are_not_shared(network, tmp_path):
    _, stage, tiles, whole, program = network
    ((name, path),) = prepared(tiles, stage, tmp_path, "tiles").items()
    path.write_bytes(bytes(path.stat().st_size))
    both = prepared(program, whole, tmp_path, "whole")
    assert hashlib.sha256(both[name].read_bytes()).hexdigest() == path.stem


def test_weights_outlive_the_program_that_had_them_first(network, tmp_path):
    _, stage, tiles, whole, program = network
    prepared(tiles, stage, tmp_path, "tiles")
    prepared(program, whole, tmp_path, "whole")
    shutil.rmtree(tmp_path / "prepared-tiles")
    assert PreparedEngine.open_checked(tmp_path / "prepared-whole", read_manifest(tmp_path / "prepared-whole"))


def test_where_files_cannot_be_linked_they_are_written_again(network, tmp_path, monkeypatch):
    def no_links(*_):
        raise OSError(errno.EPERM, "no links here")

    _, stage, tiles, whole, program = network
    first = prepared(tiles, stage, tmp_path, "tiles")
    monkeypatch.setattr(preparing.os, "link", no_links)
    both = prepared(program, whole, tmp_path, "whole")
    (name,) = first
    assert not both[name].samefile(first[name])
    assert both[name].read_bytes() == first[name].read_bytes()
