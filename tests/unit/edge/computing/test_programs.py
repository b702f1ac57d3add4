from __future__ import annotations

import hashlib
import os
import time

import pytest

from edge.computing.programs import MAX_KEPT_PROGRAMS, ProgramCache
from shared.errors import ModelError
from shared.network.addresses import Address
from shared.plan.plan import ProgramRef
from shared.wire.connection import WireTraffic

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
    programs = [bytes([number]) for number in range(MAX_KEPT_PROGRAMS + 2)]
    cache = Cache(tmp_path, programs)
    for program in programs:
        await cache.get_program(reference_to(program), GATEWAY)
    assert (tmp_path / "notes.txt").read_text() == "mine"


async def test_a_folder_that_cannot_be_written_is_refused_with_what_to_do(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    with pytest.raises(ModelError, match=r"file cannot be written: .*; name another with --cache"):
        await Cache(blocked, [b"program"]).get_program(reference_to(b"program"), GATEWAY)
