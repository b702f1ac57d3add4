from __future__ import annotations

import hashlib

import onnx
import pytest

from gateway.cluster.program_store import ProgramStore
from shared.engine.program_parts import BuiltProgram
from tests.networks import ModelBuilder


@pytest.fixture(scope="module")
def programs():
    """A program of two large convolutions, and one of the first alone."""
    made = []
    for last in (False, True):
        build = ModelBuilder(8, 8)
        tensor = build.conv(build.conv("image", 64, 3, name="small"), 64, 3, name="first")
        made.append(build.original(build.conv(tensor, 96, 3, name="last") if last else tensor))
    return [BuiltProgram.from_bytes(model.SerializeToString()) for model in made]


def sha256_of(data):
    return hashlib.sha256(data).hexdigest()


def test_programs_that_share_weights_offer_them_once(programs):
    store = ProgramStore()
    short, long = store.offer(programs)
    assert {part.sha256 for part in short.parts.weights} < {part.sha256 for part in long.parts.weights}
    for part in (short.parts.graph, *long.parts.weights):
        assert sha256_of(store.find(part.sha256)) == part.sha256
        assert len(store.find(part.sha256)) == part.bytes
    again = store.offer(programs)[0].parts.weights[0].sha256
    assert store.find(again) is store.find(short.parts.weights[0].sha256)


def test_an_edge_of_an_earlier_release_gets_a_program_in_one_piece(programs):
    store = ProgramStore()
    for reference, program in zip(store.offer(programs), programs, strict=True):
        made = store.find(reference.sha256)
        assert (sha256_of(made), len(made)) == (reference.sha256, reference.bytes)
        assert onnx.load_from_string(made) == onnx.load_from_string(program.join())


def test_weights_are_forgotten_with_the_last_program_that_has_them(programs):
    store = ProgramStore()
    short, long = store.offer(programs)
    store.keep([short.sha256])
    (shared,) = short.parts.weights
    assert store.find(shared.sha256) is not None
    (alone,) = {part.sha256 for part in long.parts.weights} - {shared.sha256}
    assert store.find(alone) is None
    assert store.find(long.sha256) is None
    assert store.find(long.parts.graph.sha256) is None


def test_small_programs_are_in_one_piece():
    store = ProgramStore()
    (reference,) = store.offer([BuiltProgram.from_bytes(b"small")])
    assert reference.parts is None
    assert store.find(reference.sha256) == b"small"
