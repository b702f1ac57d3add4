from __future__ import annotations

import asyncio
import fcntl

import pytest

from shared.engine import preparing_turns
from shared.engine.preparing_turns import preparing_turn


async def test_one_prepares_after_the_other(tmp_path):
    program = tmp_path / "program.onnx"
    program.write_bytes(b"graph")
    begun, going_on, order = asyncio.Event(), asyncio.Event(), []

    async def first():
        async with preparing_turn(program):
            begun.set()
            await going_on.wait()
            order.append("first")

    async def second():
        await begun.wait()
        waiting.set()
        async with preparing_turn(program):
            order.append("second")

    waiting = asyncio.Event()
    both = asyncio.gather(first(), second())
    await waiting.wait()
    await asyncio.sleep(0)
    assert order == []
    going_on.set()
    await asyncio.wait_for(both, 10)
    assert order == ["first", "second"]


async def test_who_is_cancelled_while_waiting_takes_nobodys_turn(tmp_path):
    program = tmp_path / "program.onnx"
    program.write_bytes(b"graph")
    with program.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2), preparing_turn(program):
                pass
    async with asyncio.timeout(10), preparing_turn(program):
        pass


async def test_a_program_that_is_not_there_is_for_others_to_report(tmp_path):
    async with asyncio.timeout(10), preparing_turn(tmp_path / "nothing.onnx"):
        pass


async def test_nobody_waits_for_ever_for_a_process_that_is_frozen(tmp_path, monkeypatch):
    monkeypatch.setattr(preparing_turns, "MAX_WAIT_S", 0.2)
    program = tmp_path / "program.onnx"
    program.write_bytes(b"graph")
    with program.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        async with asyncio.timeout(10), preparing_turn(program):
            pass
