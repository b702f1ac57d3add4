from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from shared.mqtt import arrivals as arrivals_module
from shared.mqtt.arrivals import Arrivals
from tests.settling import settled


class LostError(Exception):
    pass


async def test_messages_are_read_in_their_order():
    arrivals = Arrivals(10)
    for number in range(3):
        arrivals.put_nowait(number)
    assert [await arrivals.get() for _ in range(3)] == [0, 1, 2]
    assert arrivals.qsize() == 0


async def test_a_reader_that_waits_gets_the_next_message():
    arrivals = Arrivals(10)
    reader = asyncio.create_task(arrivals.get())
    await settled()
    arrivals.put_nowait("first")
    arrivals.put_nowait("second")
    assert await reader == "first"
    assert await arrivals.get() == "second"


def test_more_than_it_may_hold_is_refused():
    arrivals = Arrivals(2)
    arrivals.put_nowait(1)
    arrivals.put_nowait(2)
    with pytest.raises(asyncio.QueueFull):
        arrivals.put_nowait(3)
    assert arrivals.qsize() == 2


async def test_what_came_before_the_end_is_read_and_then_the_error_each_time():
    arrivals = Arrivals(10)
    arrivals.put_nowait("last")
    arrivals.close(LostError("first"))
    arrivals.close(LostError("second"))
    assert await arrivals.get() == "last"
    for _ in range(2):
        with pytest.raises(LostError, match="first"):
            await arrivals.get()


async def test_a_reader_that_waits_hears_of_the_end():
    arrivals = Arrivals(10)
    reader = asyncio.create_task(arrivals.get())
    await settled()
    arrivals.close(LostError())
    with pytest.raises(LostError):
        await reader


async def test_a_reader_that_gave_up_loses_no_message():
    arrivals = Arrivals(10)
    reader = asyncio.create_task(arrivals.get())
    await settled()
    arrivals.put_nowait("kept")
    reader.cancel()
    await asyncio.gather(reader, return_exceptions=True)
    assert await arrivals.get() == "kept"


async def test_few_large_messages_are_refused_as_many_small_ones_are(monkeypatch):
    monkeypatch.setattr(arrivals_module, "MAX_WAITING_BYTES", 10)
    arrivals, six = Arrivals(100), SimpleNamespace(payload=b"x" * 6)
    arrivals.put_nowait(six)
    with pytest.raises(asyncio.QueueFull):
        arrivals.put_nowait(six)
    arrivals.put_nowait(SimpleNamespace(payload=b"x" * 4))
    for _ in range(2):
        await arrivals.get()
    arrivals.put_nowait(SimpleNamespace(payload=b"x" * 100))  # a single one always
    with pytest.raises(asyncio.QueueFull):
        arrivals.put_nowait(six)
