"""What becomes of an owner's frames: only the gateway knows what was published, so it is asked."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from edge import owner as owner_module
from edge.frames import frame_tasks as frame_tasks_module
from edge.frames import task_announcer as task_announcer_module
from edge.frames.outcome_requests import OUTCOME_RETRY_S, OUTCOME_TIMEOUT_S
from edge.owner import NO_ANSWER_GRACE_S, PICTURE_KEPT_S, Owner
from shared.ftp.grid import Grid
from shared.payloads.cluster import FrameDone, TaskAnnouncement
from shared.payloads.frames import Outcome
from tests.settling import settled
from tests.unit.edge.works import frame_info, plans_of, remove_plan, renumbered, reusing_work

_, WORK = reusing_work(Grid(3, 3))
LATE_S = WORK.plan.deadline_s + NO_ANSWER_GRACE_S + 0.1


class Bench:
    """An owner whose clock is ours; `asked` are the frames that it gave up, `ended` what became of them."""

    def __init__(self, monkeypatch):
        self.now, self.said, self.ended = 0.0, [], {}
        for module in (owner_module, frame_tasks_module, task_announcer_module):
            monkeypatch.setattr(module, "time", self)
        monkeypatch.setattr(owner_module, "LEASE_CHECK_PERIOD_S", 0)
        self.plans = plans_of(WORK)
        self.owner = Owner("me", self.plans, self, None, lambda _: None)

    def monotonic(self):
        return self.now

    def publish_soon(self, _, message, __):
        self.said.append(TaskAnnouncement.model_validate_json(message.model_dump_json()))

    async def begin(self, *frames):
        for frame in frames:
            info = frame_info(frame).model_copy(update={"camera": frame})
            await self.owner.accept_frame(
                info, np.zeros((36, 48, 3), np.uint8), lambda outcome, frame=frame: self.ended.update({frame: outcome})
            )
        self.said.clear()

    async def at(self, now):
        """What was given up or asked for at this time."""
        self.now = now
        running = asyncio.create_task(self.owner.run())
        for _ in range(5):  # it looks in each turn here
            await asyncio.sleep(0)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        said, self.said = self.said, []
        return [message.given_up for message in said if message.given_up]

    def answer(self, frame, outcome):
        self.owner.on_frame_done(FrameDone(frame=frame, outcome=outcome))


@pytest.fixture
async def bench(monkeypatch):
    return Bench(monkeypatch)


async def test_a_frame_without_an_answer_gets_the_outcome_of_the_gateway(bench):
    await bench.begin("f")
    assert await bench.at(LATE_S) == [{"f": Outcome.NO_ANSWER}]
    assert bench.ended == {}
    bench.answer("f", Outcome.PUBLISHED)
    assert bench.ended == {"f": Outcome.PUBLISHED}
    assert await bench.at(LATE_S + 100) == []


async def test_an_outcome_is_requested_again_until_the_timeout(bench):
    await bench.begin("f")
    assert await bench.at(LATE_S) == [{"f": Outcome.NO_ANSWER}]
    assert await bench.at(LATE_S + OUTCOME_RETRY_S / 2) == []
    assert await bench.at(LATE_S + OUTCOME_RETRY_S) == [{"f": Outcome.NO_ANSWER}]
    assert await bench.at(LATE_S + OUTCOME_TIMEOUT_S) == []
    assert bench.ended == {"f": Outcome.NO_ANSWER}


NEWER = renumbered(WORK, WORK.epoch + 1)


async def test_a_new_plan_drops_no_frame_of_the_one_before(bench):
    await bench.begin("f")
    bench.plans.add(NEWER)
    bench.plans.prefer(NEWER.epoch)
    bench.plans.withdraw_others({NEWER.epoch}, 0.0)
    await bench.begin("g")
    bench.owner.give_up_removed_plans()
    assert await bench.at(WORK.plan.deadline_s) == []
    assert bench.ended == {}
    assert [owned.plan.work.epoch for owned in bench.owner.tasks.frames] == [WORK.epoch, NEWER.epoch]
    bench.answer("f", Outcome.PUBLISHED)
    assert bench.ended == {"f": Outcome.PUBLISHED}


async def test_a_plan_that_is_removed_takes_what_was_not_published_with_it(bench):
    await bench.begin("f", "g")
    bench.plans.add(NEWER)
    bench.plans.prefer(NEWER.epoch)
    await bench.begin("h")
    remove_plan(bench.plans, WORK.epoch)
    bench.owner.give_up_removed_plans()
    assert bench.said[-1].given_up == dict.fromkeys("fg", Outcome.REPLANNED)
    bench.owner.give_up_removed_plans()
    assert len([message for message in bench.said if message.given_up]) == 1
    bench.answer("f", Outcome.PUBLISHED)
    bench.answer("g", Outcome.REPLANNED)
    assert bench.ended == {"f": Outcome.PUBLISHED, "g": Outcome.REPLANNED}


async def test_after_a_reconnect_outcomes_are_requested_at_once(bench):
    """For what it gave up, and for what has ended meanwhile: frames that go on are opened again."""
    await bench.begin("f", "g")
    bench.owner.request_outcome("earlier", Outcome.NO_EDGE, lambda outcome: bench.ended.update(earlier=outcome))
    bench.said.clear()
    bench.owner.reannounce_tasks()
    assert [message.given_up for message in bench.said if message.given_up] == [{"earlier": Outcome.NO_EDGE}]
    assert [message.opened.frame for message in bench.said if message.opened] == ["f", "g"]
    bench.answer("earlier", Outcome.PUBLISHED)
    bench.answer("g", Outcome.DEADLINE)
    assert bench.ended == {"earlier": Outcome.PUBLISHED, "g": Outcome.DEADLINE}


async def test_an_edge_that_leaves_takes_no_more_frames_and_waits_for_answers(bench):
    await bench.begin("f", "g")
    leaving = asyncio.create_task(bench.owner.stop_frames(0.05))
    await settled()
    await bench.begin("late")
    bench.answer("f", Outcome.PUBLISHED)
    await leaving
    assert bench.ended == {"f": Outcome.PUBLISHED, "g": Outcome.STOPPED, "late": Outcome.STOPPED}


async def test_the_picture_of_a_published_frame_is_kept_a_while_for_snapshots(bench):
    await bench.begin("f", "g")
    under_way = bench.owner.find_frame("f")
    assert under_way.picture.size
    assert under_way.pixels.size
    bench.answer("f", Outcome.PUBLISHED)
    bench.answer("g", Outcome.DEADLINE)
    published = bench.owner.find_frame("f")
    assert published.info.frame == "f"
    assert published.picture.size
    assert not published.pixels.size, "nobody computes it any more"
    assert bench.owner.find_frame("g") is None
    await bench.at(PICTURE_KEPT_S)
    assert bench.owner.find_frame("f") is None


async def test_only_the_newest_picture_of_a_camera_is_kept(bench):
    await bench.begin("f", "g")
    for frame in "fg":
        bench.owner.tasks.frames.find(frame).info = frame_info(frame)
        bench.answer(frame, Outcome.PUBLISHED)
    assert bench.owner.find_frame("f") is None
    assert bench.owner.find_frame("g") is not None
