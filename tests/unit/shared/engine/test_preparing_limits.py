"""Programs that loop, or ask for memory, are refused by the process that prepares them, and harm nobody else."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from shared.engine import preparing_limits
from shared.engine.opening import TileKinds, open_engine
from shared.engine.preparing_limits import MAX_PROCESSOR_S, PreparingLimits, is_out_of_memory, program_bytes
from shared.engine.program_manifest import EXIT_EXCEEDED, EXIT_NOT_EXACT, WHOLE_METADATA, form_to_json
from shared.errors import ProgramRefusedError
from shared.ftp.stage import Form
from shared.model.spec import Preprocessing

FORM = Form(((8, 8),), ())
KINDS = TileKinds((FORM,), 10**5, 10**6)


def program(folder, nodes, constants):
    """Write a program of a whole network that adds what the nodes make, `extra`, to its picture."""
    nodes = [*nodes, helper.make_node("Add", ["image", "extra"], ["out"])]
    picture, out = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, 8, 8]) for name in ("image", "out"))
    weights = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    model = helper.make_model(
        helper.make_graph(nodes, "program", [picture], [out], weights),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=10,
    )
    helper.set_model_props(model, {WHOLE_METADATA: Preprocessing().model_dump_json(include={"mean", "std"})})
    path = folder / "program.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def allocating(folder, shape):
    """Write a program of some hundred bytes that makes a map of this shape."""
    made = helper.make_node("ConstantOfShape", ["shape"], ["map"], value=helper.make_tensor("one", 1, [1], [1.0]))
    total = helper.make_node("ReduceSum", ["map"], ["extra"], keepdims=0)
    return program(folder, [made, total], {"shape": np.array(shape, np.int64)})


def endless(folder):
    """Write a program that counts to 2**63."""
    values = [
        helper.make_tensor_value_info(name, kind, [])
        for name, kind in (("round", TensorProto.INT64), ("going", TensorProto.BOOL), ("sum", TensorProto.FLOAT))
    ]
    results = [
        helper.make_tensor_value_info("still", TensorProto.BOOL, []),
        helper.make_tensor_value_info("more", TensorProto.FLOAT, []),
    ]
    body = helper.make_graph(
        [helper.make_node("Identity", ["going"], ["still"]), helper.make_node("Sin", ["sum"], ["more"])],
        "body", values, results,
    )  # fmt: skip
    loop = helper.make_node("Loop", ["rounds", "yes", "zero"], ["extra"], body=body)
    constants = {"rounds": np.array(2**63 - 1, np.int64), "yes": np.array(True), "zero": np.array(0.5, np.float32)}
    return program(folder, [loop], constants)


SHAPES = [
    pytest.param((15_000, 15_000), id="folded into a constant when it is loaded"),
    pytest.param((40_000, 20_000), id="made at each run"),
    pytest.param((2**30, 2**31), id="more than any machine has"),
]


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_program_that_asks_for_much_more_memory_than_its_size_explains_is_refused(tmp_path, shape):
    path = allocating(tmp_path, shape)
    most = PreparingLimits.for_program(path.stat().st_size, KINDS.working_bytes, 1, KINDS.macs).memory_bytes
    with pytest.raises(ProgramRefusedError, match=rf"more than {most / 1e6:.0f} MB of memory.*choose another model"):
        await open_engine(path, KINDS, tmp_path)
    assert list(tmp_path.iterdir()) == [path]


async def test_a_program_with_no_more_than_its_size_explains_is_prepared(tmp_path):
    assert (await open_engine(allocating(tmp_path, (100, 100)), KINDS, tmp_path)).name == "prepared"


async def test_a_program_that_loops_is_ended_after_the_time_that_fits_its_size(tmp_path, monkeypatch):
    monkeypatch.setattr(preparing_limits, "TIME_BASE_S", 1.0)
    monkeypatch.setattr(preparing_limits, "TIME_PER_KIND_S", 0.5)
    with pytest.raises(ProgramRefusedError, match=r"refused: preparing it takes more than 2 s of the processor"):
        await open_engine(endless(tmp_path), KINDS, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["program.onnx"]


UNPREPARED = """
import sys
import shared.engine.preparing as preparing
from shared.errors import ModelError
def refuse(*_):
    raise ModelError("tiles differ")
preparing.prepare_program = refuse
sys.exit(preparing.main(sys.argv[1:]))
"""


@pytest.mark.parametrize(("shape", "code", "said"), [
    ((40_000, 20_000), EXIT_EXCEEDED, "MB of memory"), ((100, 100), EXIT_NOT_EXACT, "tiles differ"),
])  # fmt: skip
def test_what_is_run_the_plain_way_was_tried_under_the_limits_first(tmp_path, shape, code, said):
    """As the edge itself would exceed them, with its first tile."""
    limits = PreparingLimits.for_program(10**4, KINDS.working_bytes, 1, KINDS.macs)
    done = subprocess.run(
        [sys.executable, "-c", UNPREPARED, str(allocating(tmp_path, shape)), str(tmp_path / "out"), *limits.to_words()],
        input=json.dumps([form_to_json(FORM)]), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    assert said in done.stderr.splitlines()[-1]


CRASHING = """
import os, signal, sys
import shared.engine.preparing as preparing
preparing.prepare_program = lambda *_: os.kill(os.getpid(), signal.SIGSEGV)
sys.exit(preparing.main(sys.argv[1:]))
"""


def test_a_program_that_makes_the_process_crash_is_refused_and_leaves_no_file_of_its_memory(tmp_path):
    limits = PreparingLimits(10**9, 60.0)
    words = [str(allocating(tmp_path, (2, 2))), str(tmp_path / "out"), *limits.to_words()]
    done = subprocess.run(
        [sys.executable, "-c", CRASHING, *words], input=json.dumps([form_to_json(FORM)]), capture_output=True,
        text=True, timeout=60, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert "it ends the process that prepares it (SIGSEGV)" in limits.crash_reason(-done.returncode)
    assert not limits.crash_reason(9), "the system may have killed it because others took the memory"
    assert not list(tmp_path.glob("core*"))


@given(st.integers(0, 2**30), st.integers(1, 2**30), st.integers(1, 100), st.integers(0, 10**12))
def test_limits_grow_with_each_size_and_stay_below_that_of_the_clock(size, working, kinds, macs):
    limits = PreparingLimits.for_program(size, working, kinds, macs)
    for larger in (
        PreparingLimits.for_program(size + 10**6, working, kinds, macs),
        PreparingLimits.for_program(size, working + 10**6, kinds, macs),
        PreparingLimits.for_program(size, working, kinds + 1, macs),
        PreparingLimits.for_program(size, working, kinds, macs + 10**9),
        PreparingLimits.for_program(size, working, kinds, None),
    ):
        assert larger.memory_bytes >= limits.memory_bytes
        assert MAX_PROCESSOR_S >= larger.processor_s >= limits.processor_s
    assert PreparingLimits.from_words(limits.to_words()) == limits


def test_weights_beside_a_program_count_for_its_size(tmp_path):
    path = tmp_path / "program.onnx"
    path.write_bytes(b"graph")
    assert program_bytes(path) == 5
    path.with_suffix(".list").write_text("aa\nbb\n")
    for name in ("aa", "bb"):
        (tmp_path / f"{name}.weights").write_bytes(bytes(100))
    assert program_bytes(path) == 205


@pytest.mark.parametrize(("error", "about_memory"), [
    (MemoryError(), True),
    (ValueError("... Failed to allocate memory for requested buffer of size 1600000000"), True),
    (RuntimeError("std::bad_alloc"), True),
    (RuntimeError("Invalid dimensions"), False),
])  # fmt: skip
def test_errors_about_memory_are_told_from_others(error, about_memory):
    assert is_out_of_memory(error) == about_memory
