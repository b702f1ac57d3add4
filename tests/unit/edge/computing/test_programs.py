from __future__ import annotations

import hashlib
import os
import time

import pytest

from edge.computing.programs import MAX_KEPT_PROGRAMS, ProgramCache
from shared.errors import ModelError
from shared.network.addresses import Address
from shared.plan.plan import PartRef, ProgramParts, ProgramRef
from shared.wire.wire_traffic import WireTraffic

GATEWAY = Address("127.0.0.1", 4000)


class Cache(ProgramCache):
    """A cache whose gateway has every program of a dictionary, and counts what is fetched."""

    def __init__(self, folder, programs=()):
        super().__init__(folder, WireTraffic())
        self.programs = {reference_to(data).sha256: data for data in programs}
        self.fetched = []

    async def _fetch(self, program, gateway):
        assert gateway == GATEWAY
        self.fetched.append(program.sha256)
        return memoryview(self.programs[program.sha256])


def reference_to(data):
    return ProgramRef(sha256=hashlib.sha256(data).hexdigest(), bytes=len(data))


async def test_a_program_is_fetched_and_kept_under_its_hash(tmp_path):
    cache = Cache(tmp_path / "not" / "there" / "yet", [b"program"])
    path = await cache.get_program(reference_to(b"program"), GATEWAY)
    assert path.read_bytes() == b"program"
    assert path.name == f"{reference_to(b'program').sha256}.onnx"


async def test_a_program_is_fetched_once(tmp_path):
    cache = Cache(tmp_path, [b"program"])
    first = await cache.get_program(reference_to(b"program"), GATEWAY)
    assert await cache.get_program(reference_to(b"program"), GATEWAY) == first
    assert len(cache.fetched) == 1


async def test_a_program_outlives_the_process_that_fetched_it(tmp_path):
    await Cache(tmp_path, [b"program"]).get_program(reference_to(b"program"), GATEWAY)
    later = Cache(tmp_path)
    assert (await later.get_program(reference_to(b"program"), GATEWAY)).read_bytes() == b"program"
    assert later.fetched == []


@pytest.mark.parametrize("damaged", [b"", b"progr", b"programm", b"PROGRAM"])
async def test_a_damaged_program_is_fetched_again(tmp_path, damaged):
    cache = Cache(tmp_path, [b"program"])
    path = await cache.get_program(reference_to(b"program"), GATEWAY)
    path.write_bytes(damaged)
    assert (await cache.get_program(reference_to(b"program"), GATEWAY)).read_bytes() == b"program"


async def test_no_unfinished_file_stays_behind(tmp_path):
    path = await Cache(tmp_path, [b"program"]).get_program(reference_to(b"program"), GATEWAY)
    assert list(tmp_path.iterdir()) == [path]


async def test_only_the_newest_programs_are_kept(tmp_path):
    programs = [bytes([number]) for number in range(MAX_KEPT_PROGRAMS + 3)]
    cache = Cache(tmp_path, programs)
    for age, program in enumerate(reversed(programs[:-1]), start=1):
        path = await cache.get_program(reference_to(program), GATEWAY)
        os.utime(path, (time.time() - age * 60,) * 2)
    await cache.get_program(reference_to(programs[-1]), GATEWAY)
    kept = {path.stem for path in tmp_path.glob("*.onnx")}
    assert kept == {reference_to(program).sha256 for program in programs[-MAX_KEPT_PROGRAMS:]}


async def test_a_program_fetched_while_the_clock_is_behind_is_kept(tmp_path):
    programs = [bytes([number]) for number in range(MAX_KEPT_PROGRAMS + 1)]
    cache = Cache(tmp_path, programs)
    for program in programs[:-1]:
        path = await cache.get_program(reference_to(program), GATEWAY)
        os.utime(path, (time.time() + 3600,) * 2)
    assert (await cache.get_program(reference_to(programs[-1]), GATEWAY)).exists()


async def test_other_files_in_the_folder_are_left_alone(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "yolo.weights").write_text("mine")
    programs = [bytes([number]) for number in range(MAX_KEPT_PROGRAMS + 2)]
    cache = Cache(tmp_path, programs)
    for program in programs:
        await cache.get_program(reference_to(program), GATEWAY)
    assert (tmp_path / "notes.txt").read_text() == (tmp_path / "yolo.weights").read_text() == "mine"


async def test_a_folder_that_cannot_be_written_is_refused_with_what_to_do(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    with pytest.raises(ModelError, match=r"file cannot be written: .*; name another with --cache"):
        await Cache(blocked, [b"program"]).get_program(reference_to(b"program"), GATEWAY)


def in_parts(graph, *weights):
    whole = graph + b"".join(weights)
    parts = ProgramParts(graph=part_of(graph), weights=tuple(map(part_of, weights)))
    return reference_to(whole).model_copy(update={"parts": parts})


def part_of(data):
    return PartRef(sha256=hashlib.sha256(data).hexdigest(), bytes=len(data))


async def test_large_weights_are_fetched_once_for_all_programs_that_have_them(tmp_path):
    cache = Cache(tmp_path, [b"tiles", b"whole", b"first", b"second"])
    tiles = await cache.get_program(in_parts(b"tiles", b"first"), GATEWAY)
    whole = await cache.get_program(in_parts(b"whole", b"first", b"second"), GATEWAY)
    assert (tiles.read_bytes(), whole.read_bytes()) == (b"tiles", b"whole")
    assert sorted(path.read_bytes() for path in tmp_path.glob("*.weights")) == [b"first", b"second"]
    assert len(cache.fetched) == 4


@pytest.mark.parametrize("damaged", [b"", b"FIRST"])
async def test_damaged_weights_are_fetched_again_and_nothing_else(tmp_path, damaged):
    cache = Cache(tmp_path, [b"graph", b"first", b"second"])
    await cache.get_program(in_parts(b"graph", b"first", b"second"), GATEWAY)
    path = tmp_path / f"{part_of(b'first').sha256}.weights"
    path.write_bytes(damaged)
    await cache.get_program(in_parts(b"graph", b"first", b"second"), GATEWAY)
    assert path.read_bytes() == b"first"
    assert cache.fetched.count(part_of(b"first").sha256) == 2
    assert len(cache.fetched) == 4


async def test_weights_that_no_kept_program_needs_are_removed(tmp_path):
    graphs = [b"graph %d" % number for number in range(MAX_KEPT_PROGRAMS + 1)]
    own = [b"weights %d" % number for number in range(MAX_KEPT_PROGRAMS + 1)]
    cache = Cache(tmp_path, [*graphs, *own, b"shared"])
    for age, (graph, weights) in enumerate(zip(graphs, own, strict=True)):
        path = await cache.get_program(in_parts(graph, weights, b"shared"), GATEWAY)
        for file in (path, path.with_suffix(".list")):
            os.utime(file, (time.time() - (1000 - age) * 60,) * 2)
    kept = {path.read_bytes() for path in tmp_path.glob("*.weights")}
    assert kept == {*own[1:], b"shared"}
    assert len(list(tmp_path.glob("*.list"))) == MAX_KEPT_PROGRAMS
