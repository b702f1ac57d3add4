from __future__ import annotations

import asyncio

import pytest

from shared.mqtt.inbox import Inbox
from tests.settling import settled


class LostError(Exception):
    pass


async def test_messages_are_read_in_their_order():
    inbox = Inbox(10)
    for number in range(3):
        inbox.put_nowait(number)
    assert [await inbox.get() for _ in range(3)] == [0, 1, 2]
    assert inbox.qsize() == 0


async def test_a_reader_that_waits_gets_the_next_message():
    inbox = Inbox(10)
    reader = asyncio.create_task(inbox.get())
    await settled()
    inbox.put_nowait("first")
    inbox.put_nowait("second")
    assert await reader == "first"
    assert await inbox.get() == "second"


def test_more_than_it_may_hold_is_refused():
    inbox = Inbox(2)
    inbox.put_nowait(1)
    inbox.put_nowait(2)
    with pytest.raises(asyncio.QueueFull):
        inbox.put_nowait(3)
    assert inbox.qsize() == 2


async def test_what_came_before_the_end_is_read_and_then_the_error_each_time():
    inbox = Inbox(10)
    inbox.put_nowait("last")
    inbox.close(LostError("first"))
    inbox.close(LostError("second"))
    assert await inbox.get() == "last"
    for _ in range(2):
        with pytest.raises(LostError, match="first"):
            await inbox.get()


async def test_a_reader_that_waits_hears_of_the_end():
    inbox = Inbox(10)
    reader = asyncio.create_task(inbox.get())
    await settled()
    inbox.close(LostError())
    with pytest.raises(LostError):
        await reader


async def test_a_reader_that_gave_up_loses_no_message():
    inbox = Inbox(10)
    reader = asyncio.create_task(inbox.get())
    await settled()
    inbox.put_nowait("kept")
    reader.cancel()
    await asyncio.gather(reader, return_exceptions=True)
    assert await inbox.get() == "kept"
