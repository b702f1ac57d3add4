from __future__ import annotations

import asyncio
import contextlib

import numpy as np
import pytest

from edge import owner as owner_module
from edge.frames import frame_tasks as frame_tasks_module
from edge.frames import task_announcer as task_announcer_module
from edge.owner import Owner
from shared.ftp.grid import Grid
from shared.mqtt import topics
from shared.payloads.cluster import TaskAnnouncement, TileDone
from shared.wire.headers import AbsentHeader, TakeHeader, TaskRef
from tests.unit.edge.works import frame_info, plans_of, reusing_work

_, WORK = reusing_work(Grid(3, 3))
FREE = {0, 2, 4, 6, 8}
LARGEST = max(costs.macs for costs in WORK.tile_order.whole.values())
TILE_S = 1.0
"""What the largest tile takes, here and elsewhere."""


class Bus:
    def __init__(self):
        self.said = []

    def publish_soon(self, topic, message, name):
        assert (topic, name) == (topics.TASKS, "me")
        self.said.append(TaskAnnouncement.model_validate_json(message.model_dump_json()))


class Clock:
    """In the place of the module `time`."""

    def __init__(self):
        self.now = 0.0

    def monotonic(self):
        return self.now


class Bench:
    """An owner with one frame, which knows how long a tile takes."""

    def __init__(self, clock):
        self.clock, self.bus, self.woken = clock, Bus(), 0
        self.owner = Owner("me", plans_of(WORK), self.bus, None, self.on_change)
        self.tasks = self.owner.tasks

    def on_change(self, announced):
        self.woken += announced

    async def begin(self):
        await self.owner.accept_frame(frame_info(), np.zeros((36, 48, 3), np.uint8), lambda _: None)
        self.tasks.on_tile_done(TileDone(frame="earlier", tile=0, worker="me", compute_ms=TILE_S * 1e3, macs=LARGEST))
        assert [(said.waiting, said.overdue) for said in self.bus.said] == [(5, 0)]

    def lend(self, thief="a", *, idle=True, **more):
        lent = self.tasks.lend_tile(TakeHeader(thief=thief, epoch=WORK.epoch, idle=idle, **more))
        return lent if isinstance(lent, AbsentHeader) else lent[0].tile

    def says(self, now):
        """What was announced since it was last asked, at this time."""
        self.clock.now = now
        said, self.bus.said = self.bus.said, []
        return [(one.waiting, one.overdue, one.near) for one in said]

    async def watch(self, now):
        """Have the owner look at the clock now, more than once."""
        self.clock.now = now
        for _ in range(10):
            await asyncio.sleep(0)


@pytest.fixture
async def bench(monkeypatch):
    clock = Clock()
    for module in (owner_module, frame_tasks_module, task_announcer_module):
        monkeypatch.setattr(module, "time", clock)
    monkeypatch.setattr(owner_module, "LEASE_CHECK_PERIOD_S", 0)
    made = Bench(clock)
    await made.begin()
    made.bus.said.clear()
    return made


@contextlib.asynccontextmanager
async def watching(bench):
    running = asyncio.create_task(bench.owner.run())
    yield
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_thief_of_another_plan_gets_nothing(bench):
    lent = bench.tasks.lend_tile(TakeHeader(thief="a", epoch=WORK.epoch - 1, idle=False))
    assert lent == AbsentHeader(reason="this edge has no tasks of that plan")


async def test_a_busy_thief_gets_nothing_yet_where_others_are_free_sooner(bench):
    assert bench.lend() in FREE
    assert {bench.lend(idle=False) for _ in range(3)} < FREE
    assert bench.lend(idle=False) == AbsentHeader(reason="no task is waiting for this node", later=True)
    assert bench.lend() in FREE


async def test_a_task_that_was_refused_is_announced_as_the_gateway_has_counted_one_less(bench):
    for idle in (True, False, False, False):
        bench.lend(idle=idle)
    assert bench.says(0.0) == []
    woken = bench.woken
    bench.lend(idle=False)
    assert bench.says(0.0) == [(1, 0, {})]
    assert bench.woken == woken + 1


async def test_where_nothing_waits_a_thief_is_not_asked_to_return_later(bench):
    assert {bench.lend(node) for node in "abcde"} == FREE
    bench.says(0.95)
    assert bench.lend("f", idle=False) == bench.lend("f") == AbsentHeader(reason="no task is waiting for this node")
    assert bench.says(0.95) == []


async def test_a_tile_that_is_finished_is_not_to_be_had_again_later(bench):
    assert bench.lend(again=TaskRef(frame="f", tile=4), idle=False) == AbsentHeader(
        reason="no task is waiting for this node"
    )


async def test_a_thief_that_will_have_all_strips_is_announced_as_near(bench):
    for _ in FREE:
        assert bench.lend("near", reuses=True) in FREE
    assert bench.says(0.0)[-1] == (0, 4, {"near": 4})


async def test_tasks_that_become_overdue_are_announced_once(bench):
    assert {bench.lend(node) for node in "abcde"} == FREE
    async with watching(bench):
        await bench.watch(0.95)
        assert bench.says(0.95) == []
        await bench.watch(3.05)
        assert bench.says(3.05) == [(0, 4, {})]
        await bench.watch(3.1)
        assert bench.says(3.1) == []


async def test_tasks_that_become_overdue_again_are_announced_again(bench):
    """They are when their strips are far, and when these are late; the gateway may have forgotten the first time."""
    assert {bench.lend(node) for node in "abcde"} == FREE
    async with watching(bench):
        await bench.watch(0.0)
        assert bench.says(0.0) == [(0, 4, {})]
        await bench.watch(0.95)
        assert bench.says(0.95) == []
        await bench.watch(3.05)
        assert bench.says(3.05) == [(0, 4, {})]


async def test_results_after_which_other_tasks_can_be_had_are_announced(bench):
    assert {bench.lend(node) for node in "abcde"} == FREE
    for tile in sorted(FREE):
        done = TileDone(
            frame="f", tile=tile, worker="a", compute_ms=900, macs=LARGEST, strips=WORK.tile_order.readers(tile)
        )  # fmt: skip
        bench.tasks.on_tile_done(done)
    assert bench.says(0.0)[-1] == (4, 0, {})


async def test_a_tile_that_a_thief_cannot_compute_is_announced_at_once_and_not_for_it(bench):
    tile = bench.lend("a")
    bench.says(0.1)
    failed = TileDone(
        frame="f", tile=tile, worker="a", compute_ms=0.0, error="its result contains values that are not finite"
    )
    bench.tasks.on_tile_done(failed)
    assert [(said.waiting, said.unfit) for said in bench.bus.said] == [(5, {"a": 1})]
    left = FREE - {tile}
    assert {bench.lend("a") for _ in left} == left
    assert bench.lend("b") == tile


async def test_a_tile_that_failed_late_changes_nothing(bench):
    tile = bench.lend("a")
    bench.tasks.on_tile_done(TileDone(frame="f", tile=tile, worker="b", compute_ms=1e3, macs=LARGEST))
    bench.says(0.1)
    bench.tasks.on_tile_done(TileDone(frame="f", tile=tile, worker="a", compute_ms=0.0, error="no numbers"))
    assert bench.bus.said == []


def test_an_owner_is_alone_until_another_node_is_found(bench):
    bench.tasks.on_node_found("pi-2")
    assert not bench.tasks.current_plan().queue.alone
    bench.tasks.on_node_lost("pi-2")
    assert bench.tasks.current_plan().queue.alone
