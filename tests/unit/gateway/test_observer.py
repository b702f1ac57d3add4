from __future__ import annotations

import asyncio
import json
import time

import pytest

from gateway import observer
from shared import topics
from shared.messages import DetectedObject, FrameDetections, Latency, State
from tests.unit.gateway.test_home import House, running

BOX = (10.0, 10.0, 60.0, 160.0)
SEEN = DetectedObject(label="person", score=0.9, box=BOX, box_rel=(0.1, 0.1, 0.2, 0.3))
LATENCY = Latency(total=1, transfer=0, prepare=0, tiles=1, tail=0, decode=0)


@pytest.fixture
def house(tmp_path):
    return House(tmp_path)


async def no_picture():
    raise AssertionError("nothing is to be drawn")


async def show(house, *numbers):
    """Frames that come one second apart, with somebody in them."""
    for number in numbers:
        at = time.time() - 100 + number
        frame = FrameDetections(
            camera="door", frame=f"door-1-{number}", number=number, captured_at=at, published_at=at, latency_ms=LATENCY,
            model="m", grid="3x3", image=(640, 480), objects=(SEEN,), nodes={},
        )  # fmt: skip
        await house.home._observer.observe(frame, no_picture, at)


def count(house):
    return json.loads(house.bus.retained["detections/door/person"])["count"]


async def settled(house):
    """Until all changes so far are followed."""
    async with running(house.home._observer.run()):
        while not house.home._observer._changes.empty():  # noqa: ASYNC110  (a queue tells nobody that it is empty)
            await asyncio.sleep(0)
        async with house.home._observer._one_by_one:
            pass


@pytest.fixture
def without_snapshots(house):
    said = {"door": {"source": "test://", "snapshots": {"enabled": False}}}
    return House(house.folder, cameras=said)


async def test_a_frame_that_was_under_way_when_its_camera_was_lost_shows_nobody(without_snapshots):
    house = without_snapshots
    await house.hear()
    await settled(house)
    await show(house, 1, 2, 3, 4)
    assert count(house) == 1
    await house.hear(state=State.OFFLINE, reason="no route")
    await settled(house)
    assert count(house) == 0
    await show(house, 5, 6, 7, 8)
    assert count(house) == 0
    await house.hear()
    await settled(house)
    await show(house, 9, 10, 11, 12)
    assert count(house) == 1


async def test_a_change_is_followed_to_its_end_however_slow_the_broker_is(without_snapshots, monkeypatch):
    house = without_snapshots
    monkeypatch.setattr(observer, "CHECK_S", 0.001)
    await house.hear()
    await settled(house)
    await show(house, 1, 2, 3, 4)
    publish, slow = house.bus.publish, asyncio.Event()

    async def late(topic, message, *names):
        if topic is topics.OBJECTS:
            await slow.wait()
        await publish(topic, message, *names)

    monkeypatch.setattr(house.bus, "publish", late)
    async with running(house.home._observer.run()):
        await house.hear(state=State.OFFLINE, reason="no route")
        asyncio.get_running_loop().call_later(0.05, slow.set)
        await slow.wait()
        while count(house):  # noqa: ASYNC110  (what is retained is no event)
            await asyncio.sleep(0)
