from __future__ import annotations

import asyncio
import logging
import socket

import pytest

from shared.process.lifecycle import cancel_in_order, run_service, run_together
from tests.settling import settled


class Service:
    """Runs until it is cancelled, then takes its time; `ended` are the names of all that have."""

    def __init__(self, name, ended, stubborn=None):
        self.name, self.ended, self.stubborn = name, ended, stubborn
        self.cleaning = asyncio.Event()

    async def run(self):
        try:
            await asyncio.Event().wait()
        finally:
            self.cleaning.set()
            try:
                if self.stubborn is not None:
                    await self.stubborn.wait()
            finally:
                self.ended.append(self.name)


async def fail():
    raise ValueError("first")


async def test_the_first_failure_ends_all_in_order_and_is_raised_again():
    ended = []
    with pytest.raises(ValueError, match="first"):
        await run_together(Service("a", ended).run(), fail(), Service("b", ended).run())
    assert ended == ["a", "b"]


async def test_cancelled_twice_it_leaves_nothing_running_and_ends():
    """The second time it waits for one that is slow to end: the others must end all the same."""
    ended = []
    slow, other = Service("slow", ended, asyncio.Event()), Service("other", ended)
    task = asyncio.create_task(run_together(slow.run(), other.run()))
    await settled()
    task.cancel()
    await slow.cleaning.wait()
    assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert sorted(ended) == ["other", "slow"]
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.parametrize("steps", range(6))
async def test_a_cancellation_is_not_lost_when_a_service_fails_at_the_same_time(steps):
    """asyncio.TaskGroup loses it, in Python 3.11 and 3.12."""
    failing = asyncio.Event()

    async def fail_when_told():
        await failing.wait()
        raise ValueError

    async def forever():
        while True:
            try:
                await run_together(asyncio.Event().wait(), fail_when_told())
            except ValueError:
                await asyncio.sleep(0)

    task = asyncio.create_task(forever())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    failing.set()
    for _ in range(steps):
        await asyncio.sleep(0)
    task.cancel()
    failing.clear()
    await asyncio.wait([task], timeout=5)
    assert task.cancelled()


async def test_failures_at_the_end_are_not_told_as_forgotten():
    async def fail_at_the_end():
        try:
            await asyncio.Event().wait()
        finally:
            raise ValueError

    task = asyncio.create_task(fail_at_the_end())
    await settled()
    await cancel_in_order([task])
    assert not task._log_traceback


@pytest.mark.parametrize(("closed", "told"), [("add_writer", False), ("add_reader", False), ("", True)])
def test_a_socket_that_was_just_closed_is_no_fault_of_ours(caplog, closed, told):
    async def main(_):
        loop, (one, other) = asyncio.get_running_loop(), socket.socketpair()
        with one, other:
            number = one.fileno()
            if closed:
                one.close()
                loop.call_soon(getattr(loop, closed), number, print)
            else:
                loop.call_soon(one.recv, -1)
            await asyncio.sleep(0)
            await asyncio.sleep(0)

    with caplog.at_level(logging.INFO):
        run_service(main)
    assert ("Exception in callback" in caplog.text) == told
