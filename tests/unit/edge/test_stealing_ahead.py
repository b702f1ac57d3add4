"""When a node that helps asks for the next whole frame of another."""

from __future__ import annotations

import asyncio
import math
import threading

import numpy as np
import pytest

from edge.computing.plan_work import PlanWork
from edge.tasks.intake import LONG_FRAME_S
from edge.thief import StolenTile
from shared.network.addresses import Address
from shared.wire.headers import TileHeader
from tests.settling import settled, until
from tests.unit.edge.test_whole_frames import WORK, Bench, Thief
from tests.unit.edge.works import frame_info


@pytest.fixture
async def bench(monkeypatch):
    return Bench(monkeypatch)


class Stealing(Thief):
    """Has one stolen frame, and counts the requests for the next one that are made ahead."""

    def __init__(self, *frames):
        super().__init__()
        self.frames, self.ahead, self.lead_s = list(frames), 0, 0.05

    def take_stolen(self):
        return self.frames.pop(0) if self.frames else None

    def request_task(self, *, idle=True):
        self.ahead += not idle


def stealing():
    """A thief that has one frame of another node."""
    header = TileHeader(info=frame_info("theirs"), epoch=WORK.epoch, owner="you", tile=0, height=36, width=48)
    pixels = np.zeros((36, 48, 3), np.uint8)
    return Stealing(StolenTile(WORK, header, pixels, Address("127.0.0.1", 1), math.inf, 1e6))


@pytest.mark.parametrize(("frame_s", "ahead"), [(0.0, 1), (LONG_FRAME_S, 1), (LONG_FRAME_S * 1.01, 0)])
async def test_the_next_frame_is_stolen_ahead_unless_it_would_grow_old(bench, frame_s, ahead):
    bench.worker._frame_s = frame_s
    thief = stealing()
    assert await bench.worker._run_stolen(bench.tasks, thief, lambda: 0.0)
    assert thief.ahead == ahead
    assert bench.courier.sent.pop()[0].info.frame == "theirs"


async def test_a_long_frame_is_stolen_when_the_one_before_is_about_to_end(bench, monkeypatch):
    bench.worker._frame_s, thief = 2 * LONG_FRAME_S, stealing()
    thief.lead_s = 2 * LONG_FRAME_S - 0.05
    computing = threading.Event()
    find = WORK.find_objects
    monkeypatch.setattr(PlanWork, "find_objects", lambda _, *given: (computing.wait(5), find(*given))[1])
    running = asyncio.create_task(bench.worker._run_stolen(bench.tasks, thief, lambda: 0.0))
    await settled()
    assert thief.ahead == 0
    await until("a request", lambda: thief.ahead)
    assert not running.done()
    computing.set()
    assert await running
    assert thief.ahead == 1


async def test_nothing_is_stolen_ahead_when_an_own_frame_is_about_to_come(bench):
    bench.worker._frame_s, thief = 0.0, stealing()
    assert await bench.worker._run_stolen(bench.tasks, thief, lambda: 0.2)
    assert thief.ahead == 0
