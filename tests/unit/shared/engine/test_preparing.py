from __future__ import annotations

import asyncio
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from shared.engine import opening, preparing
from shared.engine.opening import TileKinds, open_engine
from shared.engine.preparing import prepare_program
from shared.engine.program_manifest import EMPTY_FILE, EXIT_NOT_EXACT, MANIFEST_FILE, WEIGHTS_FILE
from shared.engine.sessions import PaddingEngine, PreparedEngine, read_manifest
from shared.errors import DamageError, ModelError, WrongResultError
from shared.ftp.grid import Grid
from shared.model.loading import describe_network
from tests.extent import examples
from tests.networks import ModelBuilder
from tests.unit.random_networks import tiling_cases
from tests.unit.shared.engine.running import (
    assert_same,
    build_stage,
    merge_tiles,
    open_prepared,
    random_pixels,
    run_whole,
)  # fmt: skip


def kinds_of(stage):
    return TileKinds(stage.forms, 10**6)


def run_prepared(model, stage, engine, pixels):
    return merge_tiles(model, stage, pixels, lambda tile_pixels, tile: engine.run(tile.form, [tile_pixels])[0])


@settings(max_examples=examples(25), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(case=tiling_cases(), number=st.uuids())
def test_prepared_tiles_of_any_network_make_what_the_whole_network_makes(case, number, tmp_path):
    stage, program = build_stage(case.model, case.cut, Grid(min(3, case.grid.rows), min(3, case.grid.columns)))
    path = tmp_path / f"{number}.onnx"
    path.write_bytes(program)
    prepare_program(path, kinds_of(stage).forms, tmp_path / str(number))
    pixels = random_pixels(*describe_network(case.model, "random").input_size)
    tiled = run_prepared(case.model, stage, open_prepared(tmp_path / str(number)), pixels)
    assert_same(tiled, run_whole(case.original, case.cut, pixels))


@pytest.fixture(scope="module")
def network():
    """Return a few convolutions as wide as the fast kernels need."""
    build = ModelBuilder(48, 48)
    tensor = "image"
    for filters in (16, 32, 32):
        tensor = build.layer("LeakyRelu", build.conv(tensor, filters, 3, pads=[1] * 4), alpha=0.1)
    model = build.model(tensor)
    return model, tensor, *build_stage(model, [tensor], Grid(3, 3))


@pytest.fixture
def program(network, tmp_path):
    path = tmp_path / "program.onnx"
    path.write_bytes(network[3])
    return path


async def test_of_two_edges_with_one_folder_one_prepares(network, program, tmp_path, monkeypatch):
    begun = []
    run_preparing = opening._run_preparing
    monkeypatch.setattr(opening, "_run_preparing", lambda *given: begun.append(given) or run_preparing(*given))
    engines = await asyncio.gather(*(open_engine(program, kinds_of(network[2]), tmp_path) for _ in range(3)))
    assert [engine.name for engine in engines] == ["prepared"] * 3
    assert len(begun) == 1


def test_weights_are_written_once_whatever_the_number_of_kinds(network, program, tmp_path):
    stage = network[2]
    prepare_program(program, kinds_of(stage).forms[:1], tmp_path / "one")
    prepare_program(program, kinds_of(stage).forms, tmp_path / "nine")
    one, nine = ((tmp_path / name / WEIGHTS_FILE).stat().st_size for name in ("one", "nine"))
    assert len(read_manifest(tmp_path / "nine").kinds) == 9
    assert one == nine >= 4 * (16 * 3 * 9 + 32 * 16 * 9 + 32 * 32 * 9)
    assert all(path.stat().st_size < 20_000 for path in (tmp_path / "nine").glob("*.onnx"))


async def test_prepared_tiles_are_bitwise_those_of_the_whole_network(network, program, tmp_path):
    model, cut, stage, _ = network
    pixels = random_pixels(48, 48)
    engine = await open_engine(program, kinds_of(stage), tmp_path)
    assert engine.name == "prepared"
    (tiled,), (whole,) = run_prepared(model, stage, engine, pixels), run_whole(model, [cut], pixels)
    np.testing.assert_array_equal(tiled, whole)


async def test_what_was_prepared_is_used_again(network, program, tmp_path, monkeypatch):
    await open_engine(program, kinds_of(network[2]), tmp_path)
    monkeypatch.setattr(opening, "_prepare", lambda *_: pytest.fail("prepared twice"))
    assert (await open_engine(program, kinds_of(network[2]), tmp_path)).name == "prepared"


async def test_what_was_prepared_for_other_sizes_of_the_same_kinds_is_used_again(
    network, program, tmp_path, monkeypatch
):
    forms = kinds_of(network[2]).forms
    await open_engine(program, TileKinds(forms, 10**6), tmp_path)
    monkeypatch.setattr(opening, "_prepare", lambda *_: pytest.fail("prepared twice"))
    larger = [replace(form, sizes=tuple((height + 1, width + 2) for height, width in form.sizes)) for form in forms]
    assert (await open_engine(program, TileKinds.from_forms(larger[::-1], 10**6), tmp_path)).name == "prepared"


def test_of_every_kind_of_tile_there_is_one_form(network):
    forms = kinds_of(network[2]).forms
    larger = [replace(form, sizes=((99, 99),)) for form in forms]
    assert TileKinds.from_forms((*forms, *larger), 1).kinds == TileKinds(forms, 1).kinds
    assert len(TileKinds.from_forms((*forms, *larger), 1).forms) == len(forms) == 9


async def test_another_program_is_prepared_by_itself(network, program, tmp_path):
    await open_engine(program, kinds_of(network[2]), tmp_path)
    await open_engine(program, TileKinds(kinds_of(network[2]).forms[:4], 10**6), tmp_path)
    assert len(list(tmp_path.glob("prepared-*"))) == 2


MANGLED = {
    "a bit is another": lambda data: bytes([*data[:-70], data[-70] ^ 4, *data[-69:]]),
    "a bit of the beginning is another": lambda data: bytes([data[0] ^ 1, *data[1:]]),
    "its end is missing": lambda data: data[:-1],
    "it is empty": lambda data: data[:0],
    "something follows": lambda data: data + b"0",
}  # fmt: skip


@pytest.fixture(scope="module")
def kept(network, tmp_path_factory):
    """Return a folder with a program and its prepared files."""
    folder = tmp_path_factory.mktemp("kept")
    (folder / "program.onnx").write_bytes(network[3])
    assert asyncio.run(open_engine(folder / "program.onnx", kinds_of(network[2]), folder)).name == "prepared"
    return folder


@pytest.fixture
def cache(kept, tmp_path):
    return Path(shutil.copytree(kept, tmp_path / "cache"))


@pytest.mark.parametrize("how", MANGLED)
@pytest.mark.parametrize("name", [WEIGHTS_FILE, MANIFEST_FILE, "kind_000.onnx", "kind_004.onnx"])
def test_a_file_that_is_not_as_it_was_written_is_found_and_named(cache, name, how):
    (folder,) = cache.glob("prepared-*")
    (folder / name).write_bytes(MANGLED[how]((folder / name).read_bytes()))
    with pytest.raises(DamageError, match=f"{name} is damaged"):
        open_prepared(folder)


@pytest.mark.parametrize("name", [WEIGHTS_FILE, MANIFEST_FILE, EMPTY_FILE, "kind_003.onnx"])
def test_a_file_that_is_missing_is_found_and_named(cache, name):
    (folder,) = cache.glob("prepared-*")
    (folder / name).unlink()
    with pytest.raises(DamageError, match=f"{name} cannot be read: no such file"):
        open_prepared(folder)


def test_a_machine_that_computes_something_else_than_before_is_found(cache):
    (folder,) = cache.glob("prepared-*")
    written = read_manifest(folder)
    kinds = list(written.kinds)
    kinds[5] = replace(kinds[5], answers=(*kinds[5].answers[:-1], kinds[5].answers[-1] * 1.01))
    with pytest.raises(WrongResultError, match=r"kind_005\.onnx computes other results than when it was prepared"):
        PreparedEngine.open_checked(folder, replace(written, kinds=tuple(kinds)))


async def test_tiles_larger_than_those_of_the_plan_are_not_tried(network, cache, monkeypatch):
    tried, trial = [], PreparedEngine.run_trial
    monkeypatch.setattr(PreparedEngine, "run_trial", lambda self, form: tried.append(form) or trial(self, form))
    forms = kinds_of(network[2]).forms
    smaller = [replace(form, sizes=tuple((height - 1, width - 1) for height, width in form.sizes)) for form in forms]
    await open_engine(cache / "program.onnx", TileKinds(tuple(smaller), 10**6), cache)
    assert max(form.cells for form in tried) <= max(form.cells for form in smaller)
    tried.clear()
    await open_engine(cache / "program.onnx", TileKinds(forms, 10**6), cache)
    assert len(tried) == len(forms)


@pytest.mark.parametrize("name", [WEIGHTS_FILE, MANIFEST_FILE])
async def test_what_is_damaged_is_prepared_again_at_once(network, cache, name, caplog):
    model, cut, stage, _ = network
    (folder,) = cache.glob("prepared-*")
    (folder / name).write_bytes(b"garbage")
    engine = await open_engine(cache / "program.onnx", kinds_of(stage), cache)
    pixels = random_pixels(48, 48)
    (tiled,), (whole,) = run_prepared(model, stage, engine, pixels), run_whole(model, [cut], pixels)
    np.testing.assert_array_equal(tiled, whole)
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(warnings) == 1
    assert warnings[0].startswith(f"{folder / name} is damaged: ")
    assert warnings[0].endswith("; it is removed, and prepared again if needed")
    assert sorted(path.name for path in cache.iterdir()) == sorted([folder.name, "program.onnx"])


async def test_a_machine_that_never_computes_the_same_does_not_compute(network, cache, monkeypatch):
    honest = PreparedEngine.run

    def run(self, form, parts, strips=()):
        maps, given = honest(self, form, parts, strips)
        return [array * 1.01 for array in maps], given

    monkeypatch.setattr(PreparedEngine, "run", run)
    with pytest.raises(WrongResultError, match="its memory or processor may be faulty"):
        await open_engine(cache / "program.onnx", kinds_of(network[2]), cache)


async def test_a_folder_without_a_manifest_is_prepared_again(network, cache):
    (folder,) = cache.glob("prepared-*")
    (folder / MANIFEST_FILE).unlink()
    assert (await open_engine(cache / "program.onnx", kinds_of(network[2]), cache)).name == "prepared"


async def test_preparing_ends_when_nobody_wants_it_any_more(network, program, tmp_path, monkeypatch):
    started, start = asyncio.Queue(), asyncio.create_subprocess_exec

    async def listened(*command, **streams):
        process = await start(*command, **streams)
        started.put_nowait(process)
        return process

    monkeypatch.setattr(asyncio, "create_subprocess_exec", listened)
    opened = asyncio.create_task(open_engine(program, kinds_of(network[2]), tmp_path))
    process = await started.get()
    opened.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opened
    assert process.returncode == -signal.SIGKILL
    assert list(tmp_path.iterdir()) == [program]


@pytest.fixture
def refusing(monkeypatch):
    """Let preparing end with these exit codes and reasons, one after the other."""
    ends = []

    async def run(*_):
        return ends.pop(0)

    monkeypatch.setattr(opening, "_run_preparing", run)
    return ends


async def test_a_program_that_cannot_be_prepared_is_run_the_plain_way_and_not_tried_again(
    network, program, tmp_path, refusing, caplog
):
    refusing.append((EXIT_NOT_EXACT, "tiles of kind 3 differ by 0.1"))
    engine = await open_engine(program, kinds_of(network[2]), tmp_path)
    assert isinstance(engine, PaddingEngine)
    assert "the plain engine is used, as the program could not be prepared: tiles of kind 3 differ" in caplog.text
    caplog.clear()
    assert (await open_engine(program, kinds_of(network[2]), tmp_path)).name == "plain"
    assert not caplog.text


async def test_a_refusal_that_is_damaged_is_not_believed(network, program, tmp_path, refusing):
    refusing.append((EXIT_NOT_EXACT, "tiles of kind 3 differ by 0.1"))
    await open_engine(program, kinds_of(network[2]), tmp_path)
    (folder,) = tmp_path.glob("prepared-*")
    (folder / MANIFEST_FILE).write_bytes((folder / MANIFEST_FILE).read_bytes().replace(b"kind 3", b"kind 7"))
    refusing.append((EXIT_NOT_EXACT, "tried again"))
    await open_engine(program, kinds_of(network[2]), tmp_path)
    assert not refusing


@pytest.mark.parametrize(
    ("code", "reason"), [(1, "No module named 'onnx'"), (-9, "killed")], ids=["incomplete", "killed"]
)
async def test_what_kept_a_program_from_being_prepared_may_pass(
    network, program, tmp_path, refusing, code, reason, caplog
):
    refusing += [(code, reason), (code, reason)]
    for _ in range(2):
        assert (await open_engine(program, kinds_of(network[2]), tmp_path)).name == "plain"
        assert reason in caplog.text
    assert not refusing
    assert list(tmp_path.iterdir()) == [program]


async def test_a_program_whose_kinds_do_not_fit_is_refused_by_the_process_that_prepares(
    network, program, tmp_path, caplog
):
    form, *rest = kinds_of(network[2]).forms
    assert (
        await open_engine(program, TileKinds((replace(form, pads=form.pads[:-1]), *rest), 10**6), tmp_path)
    ).name == "plain"
    assert "could not be prepared" in caplog.text


def test_kinds_whose_results_are_not_those_of_an_ordinary_session_are_refused(network, program, tmp_path, monkeypatch):
    def wrong(model, folder):
        """As if onnxruntime could not read back what it wrote."""
        optimised = honest(model, folder)
        for node in optimised.graph.node:
            for part in node.attribute:
                if part.name == "pads" and any(part.ints):
                    part.ints[:] = [part.ints[2], part.ints[3], part.ints[0], part.ints[1]]
        return optimised

    honest = preparing._optimise
    monkeypatch.setattr(preparing, "_optimise", wrong)
    with pytest.raises(ModelError, match=r"tiles of kind \d+ differ by"):
        prepare_program(program, kinds_of(network[2]).forms, tmp_path / "wrong")


def test_weights_that_differ_from_kind_to_kind_are_refused(network, program, tmp_path, monkeypatch):
    honest, count = preparing._WeightFiles.take, iter(range(10**6))

    def salted(self, tensor):
        weight = honest(self, tensor)
        self.size += 10**6 * (next(count) % 2)
        return replace(weight)

    monkeypatch.setattr(preparing._WeightFiles, "take", salted)
    with pytest.raises(ModelError, match="optimised weights differ between kinds of tile"):
        prepare_program(program, kinds_of(network[2]).forms, tmp_path / "salted")


async def test_a_program_that_is_refused_is_not_run_the_plain_way_either(network, tmp_path):
    program = tmp_path / "program.onnx"
    tensor = TensorProto(name="weight", dims=[1], data_type=TensorProto.FLOAT, data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="/etc/passwd")
    node = helper.make_node("Add", ["image", "weight"], ["out"])
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("image", "out")]
    graph = helper.make_graph([node], "p", values[:1], values[1:], [tensor])
    program.write_bytes(helper.make_model(graph).SerializeToString())
    with pytest.raises(ModelError, match=r"the program of the plan is refused: .* another file, '/etc/passwd'"):
        await open_engine(program, kinds_of(network[2]), tmp_path)
    assert list(tmp_path.iterdir()) == [program]
