import asyncio
import json

import pytest

from gateway.page import viewers as module
from gateway.page.viewers import MAX_VIEWERS, MAX_WAITING_CHUNKS, Viewers


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(module, "STATE_PERIOD_S", 0.001)


class Shown:
    """What a page would show, and how often somebody has looked for it."""

    def __init__(self):
        self.sections = {"cluster": {"devices": 1}, "problems": []}
        self.asked = 0

    def __call__(self):
        self.asked += 1
        return dict(self.sections)


def read(chunk):
    return {
        event.split("\n")[0].removeprefix("event: "): json.loads(event.split("\n")[1].removeprefix("data: "))
        for event in chunk.decode().strip().split("\n\n")
    }


async def test_a_page_gets_everything_first_and_then_what_changes():
    shown = Shown()
    viewers = Viewers(shown)
    stream = viewers.stream()
    assert read(await anext(stream)) == shown.sections
    shown.sections["problems"] = ["no edge is connected"]
    assert read(await anext(stream)) == {"problems": ["no edge is connected"]}
    await viewers.close()
    with pytest.raises(StopAsyncIteration):
        await anext(stream)


async def test_nobody_looking_costs_nothing():
    shown = Shown()
    viewers = Viewers(shown)
    stream = viewers.stream()
    await anext(stream)
    await stream.aclose()
    assert viewers.count == 0
    await asyncio.wait_for(viewers._ticking, 5)  # ends by itself
    asked = shown.asked
    await asyncio.sleep(0.01)
    assert shown.asked == asked


async def test_many_pages_are_served_by_one_look():
    shown = Shown()
    viewers = Viewers(shown)
    streams = [viewers.stream() for _ in range(10)]
    for stream in streams:
        await anext(stream)
    shown.sections["problems"] = ["x"]
    chunks = [await anext(stream) for stream in streams]
    assert all(chunk is chunks[0] for chunk in chunks)
    await viewers.close()


async def test_a_page_that_does_not_read_is_given_up():
    shown = Shown()
    viewers = Viewers(shown)
    stream = viewers.stream()
    await anext(stream)
    for number in range(2 * MAX_WAITING_CHUNKS):
        viewers._send(b"%d" % number)
    assert viewers.count == 0
    with pytest.raises(StopAsyncIteration):
        await anext(stream)
    await viewers.close()


async def test_what_cannot_be_shown_now_is_tried_again(caplog):
    shown = Shown()
    viewers = Viewers(shown)
    stream = viewers.stream()
    await anext(stream)
    good, shown.sections = shown.sections, {"cluster": object()}
    await asyncio.sleep(0.02)
    shown.sections = {**good, "problems": ["x"]}
    assert read(await anext(stream)) == {"problems": ["x"]}
    assert "could not be brought up to date" in caplog.text
    await viewers.close()


async def test_there_is_a_most_of_pages():
    viewers = Viewers(Shown())
    streams = [viewers.stream() for _ in range(MAX_VIEWERS)]
    for stream in streams:
        assert not viewers.full
        await anext(stream)
    assert viewers.full
    await viewers.close()
    for stream in streams:
        await stream.aclose()
