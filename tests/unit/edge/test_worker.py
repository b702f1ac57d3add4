from __future__ import annotations

import asyncio
import contextlib
import threading
from dataclasses import dataclass

import numpy as np
import pytest

from edge import worker as worker_module
from edge.computing.plan_work import PlanWork
from edge.computing.strips import StripStore
from edge.computing.tile_assignment import TileAssignment
from edge.tasks.task import Task
from edge.worker import TileResult, Worker
from gateway.cluster.collector import split_result
from shared.engine.lanes import TileLanes
from shared.errors import ModelError
from shared.ftp.grid import Grid
from shared.wire.wire_traffic import WireTraffic
from tests.settling import settled
from tests.unit.edge.works import Courier, frame_info, reusing_work

_, WORK = reusing_work(Grid(3, 3))
VALUES = np.random.default_rng(1)


class Strips:
    def __init__(self):
        self.prefetched = []

    async def prefetch_strips(self, work, frame, tile):
        assert work is WORK
        self.prefetched.append((frame, tile))


@dataclass
class Tasks:
    next: Task | None = None

    def upcoming_task(self):
        return None if self.next is None else (WORK, self.next)


class Engine:
    """Gives some maps, and strips of every tile that reads some."""

    def __init__(self):
        self.given = []
        self.thread = None

    def run(self, _form, _parts, _strips):
        self.thread = threading.get_ident()
        return maps(), self.given


def maps():
    return [np.ones((1, 5, 12, 16), np.float32), np.zeros((1, 2, 3, 4), np.float32)]


def random(shape, dtype):
    return VALUES.integers(0, 200, shape).astype(dtype)


def read(courier):
    """The one result that was sent, its maps and strips."""
    ((header, payload),) = courier.sent
    return header, *split_result(header, payload, [array.shape for array in maps()])


async def test_a_result_brings_its_strips_behind_its_maps_in_one_message():
    courier = Courier()
    worker = Worker("me", courier, Strips())
    strips = {
        7: [random((1, 4, 2, 9), np.float32), random((1, 3, 1, 9), np.uint8)],
        1: [random((1, 2, 2, 2), np.uint8)],
    }
    await worker.send_result(WORK, frame_info(), "owner", 4, TileResult(maps(), 12.5, 100, 1e6, strips))
    header, made, brought = read(courier)
    assert (header.tile, header.owner, header.worker, header.compute_ms, header.macs) == (4, "owner", "me", 12.5, 100)
    assert header.strips == {7: 4 * 72 + 27, 1: 8}
    for array, expected in zip(made, maps(), strict=True):
        assert np.array_equal(array, expected)
    assert {reader: bytes(part) for reader, part in brought.items()} == {
        reader: b"".join(array.tobytes() for array in arrays) for reader, arrays in strips.items()
    }
    assert (worker.own, worker.stolen) == (0, 1)


async def test_strips_that_are_views_are_sent_as_what_is_seen():
    courier = Courier()
    whole = random((1, 3, 8, 8), np.float32)
    view = whole[:, :, 2:4, 1:7]
    assert not view.flags.c_contiguous
    await Worker("me", courier, Strips()).send_result(
        WORK, frame_info(), "me", 4, TileResult(maps(), 1.0, 1, strips={3: [view]})
    )
    _, _, brought = read(courier)
    assert np.array_equal(brought[3].view(np.float32).reshape(view.shape), view)


async def test_only_strips_that_are_wanted_travel_and_all_are_kept_here():
    courier, strips, engine = Courier(), StripStore(WireTraffic()), Engine()
    tile = WORK.tile(4)
    joints = WORK.plan.stages[0].joints
    engine.given = [
        random((1, joints[strip.joint].channels, strip.region.height, strip.region.width), joints[strip.joint].dtype)
        for strip in tile.given
    ]
    work = PlanWork(WORK.plan, [engine], WORK.gateway)
    pixels = np.zeros((*tile.form.sizes[0], 3), np.uint8)
    assert await Worker("me", courier, strips)._run_assignment(
        TileAssignment(work, frame_info(), "me", tile, pixels, wanted=(1, 7))
    )
    header, _, brought = read(courier)
    assert set(header.strips) == set(brought) == {1, 7}
    for reader in (1, 7):
        assert WORK.decode_strips(reader, 4, brought[reader]) is not None
    assert {reader for reader in range(9) if strips._cache.get("f", (4, reader))} == {1, 3, 5, 7}


async def test_tiles_are_computed_in_one_thread_which_has_stepped_back(monkeypatch):
    stepped_back = []
    monkeypatch.setattr(worker_module, "lower_thread_priority", lambda: stepped_back.append(threading.get_ident()))
    worker, engine = Worker("me", Courier(), Strips()), Engine()
    for _ in range(2):
        await worker.compute_tile(engine, None, [], task=Task("door-1-000000", 0))
        assert stepped_back == [engine.thread]
    assert engine.thread != threading.get_ident()


class Watch:
    """A worker that looks ahead."""

    def __init__(self):
        self.strips, self.tasks = Strips(), Tasks()
        self.worker = Worker("me", Courier(), self.strips)

    async def __aenter__(self):
        self.running = asyncio.create_task(self.worker.prefetch_strips(self.tasks))
        await self.settle()
        return self

    async def __aexit__(self, *_):
        self.running.cancel()
        await asyncio.gather(self.running, return_exceptions=True)

    @staticmethod
    async def settle():
        await settled()

    async def wake(self, task):
        self.tasks.next = task
        self.worker.wake()
        await self.settle()


async def test_strips_for_the_next_own_tile_are_fetched_while_another_runs():
    async with Watch() as watch:
        await watch.wake(Task("f", 1))
        assert watch.strips.prefetched == [("f", 1)]
        await watch.settle()
        assert watch.strips.prefetched == [("f", 1)]
        await watch.wake(Task("f", 3))
        assert watch.strips.prefetched == [("f", 1), ("f", 3)]


async def test_nothing_is_fetched_where_no_tile_from_strips_is_next():
    async with Watch() as watch:
        await watch.wake(None)
    assert watch.strips.prefetched == []


# tiles that cannot be computed here


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("where", ["map", "strip"])
async def test_a_result_that_is_not_finite_is_a_failure(value, where):
    worker, engine = Worker("me", Courier(), Strips()), Engine()
    made, given = maps(), [np.ones((1, 2, 3, 4), np.float32)]
    (made if where == "map" else given)[-1][0, 1, 2, 3] = value
    engine.run = lambda *_: (made, given)
    with pytest.raises(ModelError, match="its result contains values that are not finite"):
        await worker.compute_tile(engine, None, [], task=Task("door-1-000000", 0))


class Broken:
    """An engine that fails for as long as it is told to."""

    name, reuses = "broken", False

    def __init__(self):
        self.fails = True

    def run(self, *_):
        if self.fails:
            raise RuntimeError("out of memory")
        return maps(), []


async def test_a_tile_that_fails_is_reported_to_the_gateway_and_logged_once(caplog):
    courier, engine = Courier(), Broken()
    worker, tile = Worker("me", courier, StripStore(WireTraffic())), WORK.tile(4)
    work = PlanWork(WORK.plan, [engine], WORK.gateway)
    assigned = TileAssignment(work, frame_info(), "owner", tile, np.zeros((*tile.form.sizes[0], 3), np.uint8))
    for _ in range(3):
        assert not await worker._run_assignment(assigned)
    assert [
        (header.tile, header.owner, header.worker, header.error, payload.size) for header, payload in courier.sent
    ] == [(4, "owner", "me", "the engine failed: out of memory", 0)] * 3
    engine.fails = False
    assert await worker._run_assignment(assigned)
    assert (worker.own, worker.stolen) == (0, 1)
    assert [record.levelname for record in caplog.records if "cannot be computed here" in record.message] == ["WARNING"]


class SlowEngine:
    """Computes until it is told to end; counts the tiles that run at the same time."""

    name, reuses = "slow", False

    def __init__(self, lanes):
        self.lanes = lanes
        self.running, self.most = 0, 0
        self.lock, self.end = threading.Lock(), threading.Event()

    def run(self, *_):
        with self.lock:
            self.running += 1
            self.most = max(self.most, self.running)
        assert self.end.wait(10)
        with self.lock:
            self.running -= 1
        return maps(), []


def work_with(engine):
    return PlanWork(WORK.plan, [engine], WORK.gateway)


class ManyTasks:
    """An owner that has so many own tiles, and counts what was taken."""

    def __init__(self, tiles, engine):
        self.work = work_with(engine)
        self.waiting = list(range(tiles))
        self.done = []

    @property
    def has_waiting_tasks(self):
        return bool(self.waiting)

    def upcoming_task(self):
        return None

    def take_assignment(self):
        if not self.waiting:
            return None
        tile = self.work.tile(self.waiting.pop(0))
        return TileAssignment(self.work, frame_info(), "me", tile, np.zeros((*tile.form.sizes[0], 3), np.uint8))

    def on_result_sent(self, assignment):
        self.done.append(assignment.tile.index)


class NoTasks:
    """A thief that finds nothing."""

    def __init__(self):
        self.requests = 0

    def take_stolen(self):
        return None

    def request_task(self, *, idle=True):
        assert idle
        self.requests += 1


async def until(condition):
    """Wait for what other threads do."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110  (threads set no event)
            await asyncio.sleep(0.005)


@contextlib.asynccontextmanager
async def computing(engine, owner, thief, invite=lambda: 0.0, on_taken=lambda: None):
    worker = Worker("me", Courier(), StripStore(WireTraffic()))
    worker.use_lanes(engine.lanes)
    running = asyncio.create_task(worker.run(owner, thief, invite, on_taken))
    try:
        yield worker
    finally:
        engine.end.set()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@pytest.mark.parametrize("lanes", [1, 2, 4])
async def test_as_many_own_tiles_run_side_by_side_as_there_are_lanes(lanes):
    engine, thief = SlowEngine(TileLanes(lanes, 1)), NoTasks()
    owner = ManyTasks(9, engine)
    async with computing(engine, owner, thief) as worker:
        assert worker.idle_lanes == lanes
        await until(lambda: engine.running == lanes)
        await settled()
        assert worker.idle_lanes == 0
        assert (engine.most, len(owner.waiting), thief.requests) == (lanes, 9 - lanes, 0)
        engine.end.set()
        await until(lambda: len(owner.done) == 9)
    assert sorted(owner.done) == list(range(9))
    assert engine.most <= lanes


async def test_lanes_without_tiles_request_some_while_others_compute():
    engine, thief = SlowEngine(TileLanes(3, 1)), NoTasks()
    owner = ManyTasks(1, engine)
    async with computing(engine, owner, thief) as worker:
        await until(lambda: engine.running == 1)
        await settled()
        assert (thief.requests, worker.idle_lanes) == (2, 2)


async def test_each_own_tile_that_is_taken_is_told_before_it_is_computed():
    engine, taken = SlowEngine(TileLanes(1, 1)), []
    owner = ManyTasks(2, engine)
    async with computing(engine, owner, NoTasks(), on_taken=lambda: taken.append(len(owner.waiting))):
        await until(lambda: engine.running == 1)
        assert taken == [1]
        engine.end.set()
        await until(lambda: len(owner.done) == 2)
    assert taken == [1, 0]


async def test_nobody_is_asked_for_work_while_an_own_frame_is_expected():
    engine, thief = SlowEngine(TileLanes(1, 1)), NoTasks()
    expected, invited = [1000.0], []

    def invite():
        invited.append(True)
        return expected[0]

    async with computing(engine, ManyTasks(0, engine), thief, invite) as worker:
        await until(lambda: invited)
        assert thief.requests == 0
        expected[0] = 0.001  # it is late
        worker.wake()
        await until(lambda: len(invited) >= 3)
        assert thief.requests == 0
        expected[0] = 0.0  # and does not come
        await until(lambda: thief.requests == 1)


async def test_a_plan_of_more_lanes_opens_them_and_one_of_fewer_closes_them():
    narrow, wide, again = (SlowEngine(TileLanes(count, 1)) for count in (1, 3, 1))
    owner, thief = ManyTasks(9, narrow), NoTasks()
    async with computing(narrow, owner, thief) as worker:
        await until(lambda: narrow.running == 1)
        owner.work = work_with(wide)
        worker.use_lanes(wide.lanes)
        await until(lambda: wide.running == 2)  # the first lane still computes its tile of before
        narrow.end.set()
        await until(lambda: wide.running == 3)
        owner.work = work_with(again)
        worker.use_lanes(again.lanes)
        wide.end.set()
        await until(lambda: again.running == 1)
        await settled()
        again.end.set()
        await until(lambda: len(owner.done) == 9)
    assert (narrow.most, wide.most, again.most) == (1, 3, 1)


async def test_shared_tiles_run_in_as_many_threads_as_there_are_lanes():
    engine = SlowEngine(TileLanes(2, 1))
    worker = Worker("me", Courier(), Strips())
    worker.use_lanes(engine.lanes)
    tiles = [asyncio.create_task(worker.compute_tile(engine, None, [], task=Task("f", tile))) for tile in range(5)]
    await until(lambda: engine.running == 2)
    engine.end.set()
    for _, _, compute_ms in await asyncio.gather(*tiles):
        assert compute_ms > 0
    assert engine.most == 2
