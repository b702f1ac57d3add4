from __future__ import annotations

import asyncio
import contextlib

import numpy as np
import pytest

from edge import shared_work as shared_work_module
from edge.computing.border_exchange import InvalidBorderError
from edge.shared_work import SharedWork
from edge.worker import BARRED_REASON
from gateway.planning.methods import Method, stages_of
from shared.errors import ModelError, PeerTimeoutError, ProtocolError
from shared.ftp.grid import Grid
from tests.networks import ModelBuilder
from tests.settling import settled
from tests.unit.edge.works import plans_of, remove_plan, renumbered, shared_tile, work_of


def network_of(layers):
    build = ModelBuilder(24, 20)
    tensor = "image"
    for number in range(layers):
        tensor = build.conv(tensor, 4, 3, name=f"conv_{number}", pads=[1] * 4)
    return build.network(tensor)


NETWORK = network_of(2)
FUSED = work_of(NETWORK, stages_of(Method.WSH, NETWORK, ["conv_1"], Grid(3, 1)), Method.WSH)
LAYERED = work_of(NETWORK, stages_of(Method.BODP, NETWORK, ["conv_1"], Grid(3, 1)), Method.BODP)
WORKERS = ["me", "b", "c"]


class Worker:
    """Computes at once, or, when `busy`, not before it is told to."""

    def __init__(self):
        self.idle = asyncio.Event()
        self.idle.set()
        self.failing = False
        self.barred = False
        self.failed = []
        self.computed = []
        self.delivered = []

    def busy(self):
        self.idle.clear()

    async def compute_tile(self, engine, form, parts, strips=(), **_):
        assert not strips
        await self.idle.wait()
        if self.failing:
            raise ModelError("the engine failed: out of memory")
        self.computed.append((engine, form, [part.shape for part in parts]))
        return [np.full((1, 4, 2, 3), len(self.computed), np.float32)], [], 5.0

    async def report_failure(self, _work, info, _owner, tile, reason, worker=""):
        self.failed.append((info.frame, tile, reason, worker))

    async def send_result(self, work, info, owner, tile, done):
        self.delivered.append((work.epoch, info.frame, tile, owner, done))


class Exchange:
    """Notes what is given and dropped; what is taken may be `late`."""

    def __init__(self):
        self.given = []
        self.dropped = []
        self.late = False
        self.spoilt: int | None = None

    async def send_borders(self, _work, header, stage, _maps):
        self.given.append((header.info.frame, header.tile, header.attempt, stage))

    async def gather_maps(self, work, header, stage, _maps):
        if self.spoilt is not None:
            raise InvalidBorderError(self.spoilt)
        if self.late:
            raise PeerTimeoutError("tile 1 did not send its part of stage 0")
        boxes = work.stages[stage + 1][header.tile].inputs
        return [np.zeros((1, 4, box.height, box.width), np.float32) for box in boxes]

    def drop_attempt(self, frame, attempt):
        self.dropped.append((frame, attempt))


class Bench:
    """Shared work among stand-ins."""

    def __init__(self, work):
        self.work = work
        self.worker, self.exchange = Worker(), Exchange()
        self.plans = plans_of(work)
        self.shared = SharedWork(self.plans, self.worker, self.exchange)

    async def accept(self, tile, *, frame="f", attempt=0, **change):
        workers = WORKERS if len(self.work.stages) > 1 else ()
        header = shared_tile(self.work, tile, workers, frame=frame, attempt=attempt).model_copy(update=change)
        await self.shared.accept_tile(header, np.zeros(header.height * header.width * 3, np.uint8))

    async def settle(self):
        """Let everything happen that can."""
        await settled()

    @property
    def results(self):
        return [(frame, tile) for _, frame, tile, _, _ in self.worker.delivered]


async def test_a_shared_tile_is_computed_and_its_result_delivered():
    bench = Bench(FUSED)
    await bench.accept(1)
    await bench.settle()
    ((*place, done),) = bench.worker.delivered
    assert place == [7, "f", 1, "owner"]
    assert (done.macs, done.compute_ms, done.fetch_bytes_per_s) == (FUSED.tile(1).macs, 5.0, 0.0)
    assert [array.shape for array in done.maps] == [(1, 4, 2, 3)]
    assert bench.exchange.given == []


async def test_a_tile_is_computed_through_all_stages_by_their_own_engines():
    bench = Bench(LAYERED)
    await bench.accept(1)
    await bench.settle()
    first, second = (stage[1] for stage in LAYERED.stages)
    read = second.inputs[0]
    assert bench.worker.computed == [
        (LAYERED.engines[0], first.form, [(first.inputs[0].height, first.inputs[0].width, 3)]),
        (LAYERED.engines[1], second.form, [(1, 4, read.height, read.width)]),
    ]
    assert bench.exchange.given == [("f", 1, 0, 0)]
    ((*_, done),) = bench.worker.delivered
    assert (done.macs, done.compute_ms) == (first.macs + second.macs, 10.0)


async def test_a_tile_of_another_plan_is_left_alone():
    bench = Bench(FUSED)
    await bench.accept(1, epoch=6)
    await bench.settle()
    assert bench.worker.computed == []


async def test_a_tile_that_comes_before_any_plan_is_left_alone():
    shared = SharedWork(plans_of(), Worker(), Exchange())
    await shared.accept_tile(shared_tile(FUSED, 0), np.zeros(3, np.uint8))
    assert not shared._tasks


@pytest.mark.parametrize(("tile", "change"), [(3, {}), (1, {"height": 1}), (1, {"reusing": True})])
async def test_a_tile_that_is_not_of_the_plan_is_an_error_of_the_gateway(tile, change):
    with pytest.raises(ProtocolError, match=f"tile {tile} of f does not fit the plan"):
        await Bench(FUSED).accept(tile, **change)


async def test_with_several_stages_a_tile_must_say_who_computes_the_others():
    bench = Bench(LAYERED)
    with pytest.raises(ProtocolError, match="does not fit the plan"):
        await bench.accept(1, workers=())


async def test_a_tile_that_comes_twice_is_computed_once():
    bench = Bench(FUSED)
    bench.worker.busy()
    await bench.accept(1)
    await bench.accept(1)
    bench.worker.idle.set()
    await bench.settle()
    assert bench.results == [("f", 1)]


async def test_with_several_stages_another_attempt_ends_the_one_before():
    bench = Bench(LAYERED)
    bench.worker.busy()
    await bench.accept(0)
    await bench.accept(1)
    await bench.accept(1, frame="other")
    await bench.settle()
    await bench.accept(1, attempt=1)
    bench.worker.idle.set()
    await bench.settle()
    assert sorted(bench.results) == [("f", 1), ("other", 1)]
    assert set(bench.exchange.given) == {("f", 1, 1, 0), ("other", 1, 0, 0)}


async def test_with_several_stages_an_earlier_attempt_that_comes_late_changes_nothing():
    bench = Bench(LAYERED)
    bench.worker.busy()
    await bench.accept(1, attempt=2)
    await bench.accept(1, attempt=1)
    bench.worker.idle.set()
    await bench.settle()
    assert bench.exchange.given == [("f", 1, 2, 0)]


async def test_what_a_lost_node_leaves_does_not_end_the_tiles_that_are_under_way_here():
    """With one stage, only the tiles of the lost node are shared again."""
    bench = Bench(FUSED)
    bench.worker.busy()
    await bench.accept(0)
    await bench.accept(1)
    await bench.settle()
    await bench.accept(2, attempt=1)
    bench.worker.idle.set()
    await bench.settle()
    assert sorted(bench.results) == [("f", 0), ("f", 1), ("f", 2)]


async def test_an_engine_that_fails_costs_its_tile_and_nothing_else():
    bench = Bench(FUSED)
    bench.worker.failing = True
    await bench.accept(0)
    await bench.settle()
    assert bench.worker.failed == [("f", 0, "the engine failed: out of memory", "")]
    bench.worker.failing = False
    await bench.accept(1)
    await bench.settle()
    assert bench.results == [("f", 1)]


async def test_a_node_that_may_not_compute_gives_its_tiles_up_at_once():
    bench = Bench(FUSED)
    bench.worker.barred = True
    await bench.accept(0)
    assert bench.worker.failed == [("f", 0, BARRED_REASON, "")]
    assert bench.results == bench.worker.computed == []


async def test_a_neighbour_that_hands_on_what_is_no_number_is_named():
    bench = Bench(LAYERED)
    bench.exchange.spoilt = 1
    await bench.accept(0)
    await bench.settle()
    assert bench.worker.failed == [("f", 1, "tile 1 sent values that are not finite", WORKERS[1])]
    assert bench.results == []


async def test_a_neighbour_that_hands_on_nothing_costs_the_tile(caplog):
    bench = Bench(LAYERED)
    bench.exchange.late = True
    await bench.accept(0)
    await bench.settle()
    assert "f tile 0 given up: tile 1 did not send its part of stage 0" in caplog.text
    assert (bench.results, bench.exchange.dropped) == ([], [("f", 0)])


async def test_the_exchange_forgets_a_frame_with_the_last_tile_here():
    bench = Bench(LAYERED)
    bench.worker.busy()
    await bench.accept(0)
    await bench.accept(1)
    await bench.settle()
    assert bench.exchange.dropped == []
    bench.worker.idle.set()
    await bench.settle()
    assert bench.exchange.dropped == [("f", 0)]


async def test_tiles_of_several_plans_are_computed_each_by_its_own():
    bench, newer = Bench(FUSED), renumbered(LAYERED, FUSED.epoch + 1)
    bench.worker.busy()
    await bench.accept(0)
    await bench.settle()
    bench.plans.add(newer)
    remove_plan(bench.plans, FUSED.epoch)
    bench.work = newer
    await bench.accept(1, frame="g")
    await bench.settle()
    bench.worker.idle.set()
    await bench.settle()
    assert [(epoch, frame, tile) for epoch, frame, tile, *_ in bench.worker.delivered] == [
        (FUSED.epoch, "f", 0), (newer.epoch, "g", 1),
    ]  # fmt: skip
    assert {engine for engine, *_ in bench.worker.computed} == {*FUSED.engines, *newer.engines}


async def test_no_more_tiles_are_here_than_there_is_room_for(monkeypatch):
    monkeypatch.setattr(shared_work_module, "MAX_SHARED_TILES", 2)
    bench = Bench(FUSED)
    bench.worker.busy()
    await bench.accept(0)
    await bench.accept(1)
    waiting = asyncio.create_task(bench.accept(2))
    await bench.settle()
    assert not waiting.done()
    bench.worker.idle.set()
    await waiting
    await bench.settle()
    assert sorted(bench.results) == [("f", 0), ("f", 1), ("f", 2)]


async def test_what_is_here_is_given_up_at_the_end():
    bench = Bench(FUSED)
    bench.worker.busy()
    await bench.accept(0)
    running = asyncio.create_task(bench.shared.run())
    await bench.settle()
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    bench.worker.idle.set()
    await bench.settle()
    assert bench.results == []
