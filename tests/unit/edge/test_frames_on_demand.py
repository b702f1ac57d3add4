"""Whole frames that thieves get on demand, while cameras have more pictures than are invited."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import numpy as np
import pytest

from edge.frames.frame_tasks import MAX_KEPT_BYTES, MAX_PROMISED_HOLD_S
from edge.frames.task_announcer import PROMISE_REPEAT_S
from edge.peer_service import PeerService
from edge.tasks.intake import LONG_FRAME_S
from shared.payloads.cluster import FrameDone, Helpers, TileDone
from shared.payloads.frames import Outcome
from shared.wire.headers import AbsentHeader, TakeHeader, TaskRef, TileHeader
from tests.settling import settled, until
from tests.unit.edge.test_whole_frames import WORK, Bench
from tests.unit.edge.works import frame_info

TAKE = TakeHeader(thief="a", epoch=WORK.epoch)


class Cameras:
    """Cameras of which one has more pictures than are invited; `pull_frame` brings one to the owner."""

    def __init__(self, bench):
        self.saturated = self.may_have_more = True
        self.bench, self.pulled, self.brings = bench, 0, True

    async def pull_frame(self):
        self.pulled += 1
        if self.brings:
            await self.bench.owner.accept_frame(
                frame_info(f"p{self.pulled}"), np.full((36, 48, 3), 7, np.uint8), self.bench.ended.append, promised=True
            )
        return 0.25


@pytest.fixture
async def bench(monkeypatch):
    made = Bench(monkeypatch)
    made.learn_speed(2 * LONG_FRAME_S)
    lent = TileDone(frame="earlier", tile=0, worker="a", compute_ms=200.0, fetch_bytes_per_s=1e7)
    made.tasks.on_tile_done(lent)
    made.cameras = made.tasks.cameras = Cameras(made)
    made.helpers(a=0.95)  # hardly faster, so no frame is held for it
    made.said.clear()
    made.tasks.lend_tile(TAKE)  # a thief that found nothing: the promise of before is forgotten
    return made


async def serve(bench, *takes):
    """Return what the owner answers to these requests of one thief."""
    sent, waiting = [], [*takes[1:]]
    connection = SimpleNamespace(sent=sent, check_name=lambda _: None)

    async def send(header, payload=()):
        sent.append((header, payload))

    async def expect(*_):
        if not waiting:
            raise asyncio.CancelledError
        return waiting.pop(0), None

    connection.send, connection.expect = send, expect
    service = PeerService(SimpleNamespace(tasks=bench.tasks), None, None, bench.cameras)
    with pytest.raises(asyncio.CancelledError):
        await service.serve(connection, takes[0], np.empty(0, np.uint8))
    return [header for header, _ in sent]


async def test_no_frame_waits_for_thieves(bench):
    await bench.accept("f")
    bench.tasks.take_assignment()
    assert bench.tasks.frames_wanted(0, 0) == 0
    bench.cameras.saturated = False
    assert bench.tasks.frames_wanted(0, 0) == 1


async def test_an_own_frame_is_still_held_for_a_much_faster_node(bench):
    bench.helpers(a=0.1)
    await bench.accept("f")
    assert bench.tasks.take_assignment() is None
    (lent,) = await serve(bench, TAKE)
    assert (lent.info.frame, bench.cameras.pulled) == ("f", 0)


async def test_short_frames_may_wait_for_thieves(bench):
    bench.learn_speed(LONG_FRAME_S / 10)
    for _ in range(5):
        bench.learn_speed(LONG_FRAME_S / 10)
    await bench.accept("f")
    bench.tasks.take_assignment()
    assert bench.tasks.frames_wanted(0, 0) == 1


async def test_a_frame_is_promised_with_the_next_own_one_and_once(bench):
    await bench.accept("f")
    assert [(said.waiting, said.opened) for said in bench.said] == [(2, None)], "one waits, and one could be invited"
    bench.tasks.take_assignment()
    await bench.accept("g")
    assert len(bench.said) == 1
    bench.now += PROMISE_REPEAT_S
    await bench.accept("h")
    assert len(bench.said) == 2


async def test_a_frame_is_promised_when_one_has_ended_and_its_camera_may_have_more_again(bench):
    await bench.accept("f")
    bench.tasks.take_assignment()
    bench.helpers(a=0.2)
    bench.cameras.may_have_more = False
    bench.tasks.lend_tile(TAKE)  # a thief that found nothing
    bench.said.clear()
    bench.owner.on_frame_done(FrameDone(frame="earlier", outcome=Outcome.PUBLISHED))
    assert bench.said == []
    bench.cameras.may_have_more = True
    bench.owner.on_frame_done(FrameDone(frame="f", outcome=Outcome.PUBLISHED))
    assert [said.waiting for said in bench.said] == [1]


async def test_other_nodes_may_have_two_frames_for_each_lane_as_far_as_memory_goes(bench):
    for node in ("a", "b"):
        bench.tasks.on_node_found(node)
    bench.tasks.on_helpers(Helpers(seconds={"a": 0.2, "b": 0.2}, lanes={"b": 3}))
    assert bench.tasks.frames_elsewhere == 8
    await bench.accept("f")
    frame_bytes = bench.tasks.frames.largest_bytes
    assert bench.tasks.frames_elsewhere == 8
    bench.tasks.frames.largest_bytes = MAX_KEPT_BYTES // 5
    assert bench.tasks.frames_elsewhere == 5
    bench.tasks.frames.largest_bytes = MAX_KEPT_BYTES + 1
    assert bench.tasks.frames_elsewhere == 0
    assert frame_bytes == 2 * 36 * 48 * 3


async def test_helpers_that_appear_are_promised_a_frame(bench):
    bench.helpers()
    bench.helpers(a=0.2)
    assert [said.waiting for said in bench.said] == [1]


async def test_after_a_new_connection_a_frame_is_promised_again(bench):
    await bench.accept("f")
    bench.tasks.take_assignment()
    bench.said.clear()
    bench.tasks.reannounce([])
    bench.tasks.reannounce([])
    assert [said.waiting for said in bench.said] == [1, 1]
    bench.cameras.may_have_more = False
    bench.tasks.reannounce([])
    assert len(bench.said) == 2


async def test_a_thief_gets_a_fresh_frame_and_the_owner_goes_on_with_its_own(bench):
    await bench.accept("f")
    bench.said.clear()
    assert bench.tasks.take_assignment().info.frame == "f"
    (lent,) = await serve(bench, TAKE)
    assert isinstance(lent, TileHeader)
    assert (lent.info.frame, lent.pulled_ms, bench.cameras.pulled) == ("p1", 250.0, 1)
    assert [said.waiting for said in bench.said] == [1], "the next one is promised"
    assert bench.tasks.take_assignment() is None


async def test_a_frame_that_waits_is_lent_before_another_is_invited(bench):
    await bench.accept("f")
    await bench.accept("g")
    bench.tasks.take_assignment()
    (lent,) = await serve(bench, TAKE)
    assert (lent.info.frame, lent.pulled_ms, bench.cameras.pulled) == ("g", 0.0, 0)


async def test_a_thief_that_is_busy_gets_the_frame_that_was_invited_for_it(bench):
    await bench.accept("f")
    bench.tasks.take_assignment()
    (lent,) = await serve(bench, TAKE.model_copy(update={"idle": False}))
    assert lent.info.frame == "p1"


async def test_without_a_picture_the_thief_hears_that_there_is_none_and_it_is_promised_later(bench):
    await bench.accept("f")
    bench.tasks.take_assignment()
    bench.cameras.brings = False
    bench.said.clear()
    (answer,) = await serve(bench, TAKE)
    assert isinstance(answer, AbsentHeader)
    assert not answer.later
    await bench.accept("g")
    assert [said.waiting for said in bench.said] == [2]


@pytest.mark.parametrize("why", ["barred", "unsaturated", "at its limit", "another plan", "a frame again"])
async def test_no_frame_is_invited_without_a_promise(bench, why):
    await bench.accept("f")
    bench.tasks.take_assignment()
    take = TAKE
    if why == "barred":
        bench.tasks.computes_here = False
    elif why == "unsaturated":
        bench.cameras.saturated = False
    elif why == "at its limit":
        bench.cameras.may_have_more = False
    elif why == "another plan":
        take = TAKE.model_copy(update={"epoch": WORK.epoch + 1})
    else:
        take = TAKE.model_copy(update={"again": TaskRef(frame="x", tile=0)})
    await serve(bench, take)
    assert bench.cameras.pulled == 0


async def test_a_promised_frame_is_left_to_its_thief_for_a_moment_and_then_computed_here(bench):
    await bench.cameras.pull_frame()
    assert bench.tasks.take_assignment() is None
    assert bench.tasks.frames.find("p1").held_until == bench.now + MAX_PROMISED_HOLD_S
    changes = bench.changes
    await until("the end of the hold", lambda: bench.changes > changes)
    bench.now += MAX_PROMISED_HOLD_S
    assert bench.tasks.take_assignment().info.frame == "p1"
    assert bench.tasks.current_plan().holding._next_skip == 1, "that says nothing of how soon helpers come"


async def test_a_long_frame_that_waits_is_announced_so_that_the_own_request_is_forgotten(bench):
    assert not bench.tasks.announce_long_frames()
    await bench.accept("f")
    bench.said.clear()
    assert bench.tasks.announce_long_frames()
    assert [said.waiting for said in bench.said] == [2]
    for _ in range(5):
        bench.learn_speed(LONG_FRAME_S)
    assert not bench.tasks.announce_long_frames(), "a short frame is done before another one could grow old"
    await settled()


async def test_a_frame_that_waits_at_its_camera_is_load_as_one_that_waits_here(bench):
    bench.tasks.take_mean_load(bench.now)
    bench.now += 1
    assert bench.tasks.take_mean_load(bench.now) == pytest.approx(1)
    bench.cameras.saturated = False
    bench.now += 1
    assert bench.tasks.take_mean_load(bench.now) == pytest.approx(0)
