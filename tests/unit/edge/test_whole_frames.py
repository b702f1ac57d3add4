"""Whole frames on an edge: one task each, whose result are the objects in it."""

from __future__ import annotations

import asyncio
import contextlib

import numpy as np
import pytest

from edge import owner as owner_module
from edge.computing.plan_work import NoEngine, PlanWork
from edge.frames import frame_tasks as frame_tasks_module
from edge.frames import task_announcer as task_announcer_module
from edge.frames.task_announcer import REANNOUNCE_S
from edge.owner import Owner
from edge.tasks.holding import MAX_HOLD_S
from edge.tasks.intake import MAX_INVITATION_PAUSE_S
from edge.tasks.task import Task
from edge.worker import Worker
from gateway.cluster.whole_frame import read_objects
from shared.errors import ModelError
from shared.mqtt import topics
from shared.payloads.cluster import Helpers, TaskAnnouncement, TileDone
from shared.wire.headers import AbsentHeader, TakeHeader
from tests.settling import settled, until
from tests.unit.edge.works import (
    GATEWAY,
    NO_ROW,
    OBJECT,
    Courier,
    as_received,
    frame_info,
    plans_of,
    whole_work,
)

WORK = whole_work()
MACS = WORK.tile(0).macs
OWN_S = 1.0
"""What a frame takes here."""


class Thief:
    """Has no stolen frames, and counts the requests."""

    def __init__(self):
        self.requests = 0

    def take_stolen(self):
        return None

    def request_task(self, *, idle=True):
        self.requests += idle


class Bench:
    """An owner and its worker, on a clock of ours."""

    def __init__(self, monkeypatch, work=WORK):
        self.now, self.said, self.changes, self.ended = 100.0, [], 0, []
        for module in (owner_module, frame_tasks_module, task_announcer_module):
            monkeypatch.setattr(module, "time", self)
        self.plans, self.courier = plans_of(work), Courier()
        self.owner = Owner("me", self.plans, self, self.courier, self.on_change)
        self.tasks = self.owner.tasks
        self.worker = Worker("me", self.courier, None)

    def monotonic(self):
        return self.now

    def publish_soon(self, topic, message, name):
        assert (topic, name) == (topics.TASKS, "me")
        self.said.append(TaskAnnouncement.model_validate_json(message.model_dump_json()))

    def on_change(self, _announced):
        self.changes += 1

    async def accept(self, frame="f", pixel=7):
        await self.owner.accept_frame(frame_info(frame), np.full((36, 48, 3), pixel, np.uint8), self.ended.append)

    def learn_speed(self, seconds=OWN_S):
        self.tasks.on_tile_done(TileDone(frame="earlier", tile=0, worker="me", compute_ms=seconds * 1e3, macs=MACS))
        self.said.clear()

    def helpers(self, **seconds):
        self.tasks.on_helpers(Helpers(seconds=seconds))

    def lend(self, thief="a", *, idle=True):
        return self.tasks.lend_tile(TakeHeader(thief=thief, epoch=WORK.epoch, idle=idle))


@pytest.fixture
async def bench(monkeypatch):
    return Bench(monkeypatch)


@contextlib.asynccontextmanager
async def working(bench):
    running = asyncio.create_task(bench.worker.run(bench.tasks, Thief()))
    yield
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


# the worker


async def compute(bench):
    """Compute the next own frame; return the result as it was sent."""
    assert await bench.worker._run_own(bench.tasks)
    return bench.courier.sent.pop()


async def test_a_result_has_the_objects_and_no_maps(bench):
    await bench.accept()
    header, payload = await compute(bench)
    assert (header.objects, header.shapes, header.strips, header.tile) == (1, (), {}, 0)
    assert (header.epoch, header.owner, header.worker, header.macs, header.error) == (7, "me", "me", MACS, "")
    (row,) = read_objects(header, payload).table
    assert row == pytest.approx(OBJECT)
    assert bench.worker.own == 1


async def test_a_frame_without_objects_has_a_result_without_payload(monkeypatch):
    bench = Bench(monkeypatch, whole_work([NO_ROW] * 30))
    await bench.accept()
    header, payload = await compute(bench)
    assert (header.objects, payload.size) == (0, 0)
    assert len(read_objects(header, payload)) == 0


async def test_the_network_reads_the_whole_letterboxed_picture(monkeypatch):
    work = whole_work()
    bench = Bench(monkeypatch, work)
    await bench.accept(pixel=200)
    await compute(bench)
    (picture,) = work.engines[0].pictures
    assert np.array_equal(picture, np.full((36, 48, 3), 200, np.uint8))


def test_boxes_are_those_of_the_cameras_picture_and_not_of_the_networks_input():
    info = frame_info().model_copy(update={"height": 72, "width": 96})
    found = WORK.find_objects(info, np.zeros((36, 48, 3), np.uint8))
    assert found.table[0, :4] == pytest.approx([2 * side for side in OBJECT[:4]])


async def test_outputs_that_are_not_finite_are_a_failure_and_not_an_empty_picture(monkeypatch):
    bench = Bench(monkeypatch, whole_work([(np.nan, *OBJECT[1:]), *[NO_ROW] * 29]))
    await bench.accept()
    header, payload = await compute(bench)
    assert "not finite" in header.error
    assert (header.objects, payload.size, bench.worker.own) == (None, 0, 0)
    assert bench.tasks.take_assignment() is None  # it waits for other nodes
    assert bench.lend()[0].info.frame == "f"


async def test_a_device_that_computes_wrongly_reports_each_frame_as_failed(monkeypatch):
    bench = Bench(monkeypatch, PlanWork(WORK.plan, [NoEngine()], GATEWAY))
    await bench.accept()
    header, _ = await compute(bench)
    assert "this device computes wrongly" in header.error


def test_a_plan_whose_outputs_no_decoder_reads_is_found_before_it_is_followed():
    detector = WORK.plan.detector.model_copy(update={"outputs": {"output0": (1, 2, 3, 4, 5)}})
    with pytest.raises(ModelError):
        PlanWork(WORK.plan.model_copy(update={"detector": detector}), WORK.engines, GATEWAY).validate()
    WORK.validate()


async def test_frames_are_computed_one_after_the_other(bench):
    await bench.accept("f")
    await bench.accept("g")
    async with working(bench):
        await until("the second result", lambda: len(bench.courier.sent) == 2)  # the engine runs in a thread
        await settled()
        assert bench.worker.idle_lanes == 1
    assert [header.info.frame for header, _ in bench.courier.sent] == ["f", "g"]


async def test_a_barred_worker_has_no_idle_lanes(bench):
    bench.worker.barred = True
    async with working(bench):
        await settled()
        assert bench.worker.idle_lanes == 0


# the owner


async def test_a_frame_that_nobody_else_would_take_is_not_announced(bench):
    bench.learn_speed()
    changes = bench.changes
    await bench.accept()
    assert (bench.said, bench.changes) == ([], changes + 1)
    assert bench.tasks.take_assignment().info.frame == "f"


async def test_a_frame_is_announced_to_nodes_that_end_it_sooner(bench):
    bench.learn_speed()
    bench.helpers(me=0.1, a=0.5)
    await bench.accept()
    (said,) = bench.said
    assert (said.waiting, said.opened.frame, said.epoch) == (1, "f", WORK.epoch)
    assert 0.5 < said.within_s < OWN_S


@pytest.mark.parametrize("helpers", [{"a": 1.5}, {"me": 0.1}, {}])
async def test_slower_nodes_and_the_owner_itself_are_no_help(bench, helpers):
    bench.learn_speed()
    bench.helpers(**helpers)
    await bench.accept()
    assert bench.said == []
    assert bench.tasks.take_assignment() is not None


async def test_a_slower_node_helps_with_frames_that_would_wait_longer(bench):
    bench.learn_speed()
    bench.helpers(a=1.5)
    await bench.accept("f")
    assert bench.said == []
    await bench.accept("g")
    assert [said.opened.frame for said in bench.said] == ["g"]
    assert 1.5 < bench.said[0].within_s < 2 * OWN_S


async def test_a_barred_owner_announces_every_frame(bench):
    bench.learn_speed()
    bench.tasks.computes_here = False
    await bench.accept()
    assert [said.opened.frame for said in bench.said] == ["f"]


async def test_frames_of_a_barred_owner_are_for_slower_nodes_too_and_announced_until_one_takes_them(bench):
    bench.learn_speed()
    bench.helpers(a=1.5)
    await bench.accept()
    assert bench.said == []  # before the bar this was the sooner end
    bench.tasks.computes_here = False
    bench.tasks.check_plans(bench.now)
    bench.tasks.check_plans(bench.now)
    bench.now += REANNOUNCE_S
    bench.tasks.check_plans(bench.now)
    assert [(said.waiting, said.within_s) for said in bench.said] == [(1, None)] * 2
    bench.lend()
    bench.now += REANNOUNCE_S
    bench.tasks.check_plans(bench.now)
    assert len(bench.said) == 2


async def test_a_frame_that_failed_here_is_for_slower_nodes_too_and_announced_until_one_takes_it(bench):
    bench.learn_speed()
    await bench.accept()
    task = Task("f", bench.tasks.take_assignment().tile.index)
    bench.tasks.on_tile_failed(task, "me")
    bench.now += REANNOUNCE_S
    bench.tasks.check_plans(bench.now)
    assert [(said.waiting, said.within_s, said.unfit) for said in bench.said] == [(1, None, {"me": 1})] * 2


async def test_a_frame_is_held_for_a_faster_helper_and_computed_here_if_that_does_not_come(bench):
    bench.learn_speed()
    bench.helpers(a=0.2)
    await bench.accept()
    assert bench.tasks.take_assignment() is None
    assert bench.tasks.frames.find("f").held_until <= bench.now + MAX_HOLD_S
    bench.now += MAX_HOLD_S
    assert bench.tasks.take_assignment().info.frame == "f"


async def test_the_worker_is_woken_at_the_end_of_a_hold(bench):
    bench.learn_speed()
    bench.helpers(a=0.2)
    await bench.accept()
    changes = bench.changes
    await until("the end of the hold", lambda: bench.changes > changes)


@pytest.mark.parametrize(("fills_bars", "rows"), [(True, 24), (False, 36)])
async def test_the_bars_are_sent_to_who_does_not_fill_them_in(bench, fills_bars, rows):
    wide = frame_info().model_copy(update={"height": 24})
    await bench.owner.accept_frame(wide, np.full((24, 48, 3), 7, np.uint8), bench.ended.append)
    header, pixels = bench.tasks.lend_tile(TakeHeader(thief="a", epoch=WORK.epoch, fills_bars=fills_bars))
    assert (header.content is not None, pixels.nbytes) == (fills_bars, rows * 48 * 3)
    shown = WORK.decode_pixels(header, as_received([pixels]))
    assert np.array_equal(shown, bench.tasks.frames.find("f").pixels)


async def test_a_held_frame_that_a_helper_takes_is_lent_whole(bench):
    bench.learn_speed()
    bench.helpers(a=0.2)
    await bench.accept()
    bench.now += 0.01
    header, pixels = bench.lend()
    assert (header.info.frame, header.tile, header.height, header.width) == ("f", 0, 36, 48)
    assert pixels.nbytes == 36 * 48 * 3
    bench.now += MAX_HOLD_S
    assert bench.tasks.take_assignment() is None
    assert isinstance(bench.lend("b"), AbsentHeader)


async def test_frames_of_before_are_announced_as_soon_as_others_become_idle(bench):
    bench.learn_speed()
    await bench.accept()
    assert bench.said == []
    bench.helpers(a=0.2)
    assert [said.waiting for said in bench.said] == [1]
    bench.helpers(a=0.2, b=0.3)
    assert len(bench.said) == 1


async def test_a_lost_node_is_no_helper(bench):
    bench.learn_speed()
    bench.helpers(a=0.2)
    bench.tasks.on_node_lost("a")
    await bench.accept()
    assert bench.said == []


# what is invited


async def test_frames_are_invited_once_there_is_a_plan(monkeypatch):
    bench = Bench(monkeypatch)
    assert bench.tasks.frames_wanted(0, 1) == 1
    bench.plans._works.clear()
    assert Owner("me", plans_of(), bench, None, bench.on_change).tasks.frames_wanted(0, 1) == 0


async def test_the_next_frame_is_invited_late(bench):
    bench.learn_speed()
    assert bench.tasks.frames_wanted(0, 1) == 1
    await bench.accept("f")
    assert bench.tasks.frames_wanted(0, 1) == 0
    bench.tasks.take_assignment()
    assert bench.tasks.frames_wanted(0, 0) == 0
    assert bench.tasks.next_frame_due_s() == MAX_INVITATION_PAUSE_S
    bench.now += OWN_S - bench.tasks.intake.lead_s - 0.1
    assert bench.tasks.frames_wanted(0, 0) == 0
    assert bench.tasks.next_frame_due_s() == pytest.approx(0.1)
    bench.now += 0.11
    assert bench.tasks.frames_wanted(0, 0) == 1
    assert bench.tasks.frames_wanted(1, 0) == 0


async def test_a_frame_waits_for_idle_helpers_although_the_owner_is_busy(bench):
    bench.learn_speed()
    await bench.accept("f")
    bench.tasks.take_assignment()
    bench.helpers(a=0.2)
    assert bench.tasks.frames_wanted(0, 0) == 1
    await bench.accept("g")
    assert bench.tasks.frames_wanted(0, 0) == 0
