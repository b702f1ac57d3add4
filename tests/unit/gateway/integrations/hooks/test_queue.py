from __future__ import annotations

import asyncio

import pytest

from gateway.configuration.automation import CommandHook
from gateway.integrations.hooks import queue as lane_module
from gateway.integrations.hooks.bounded_queue import WAITING_CAP
from gateway.integrations.hooks.delivery import Outcome
from gateway.integrations.hooks.queue import AT_ONCE, TOLD_EVERY_S, HookCounts, Lane, Sparing
from shared.payloads.observations import EventType
from tests.hook_events import event
from tests.settling import settled


class Post:
    """A sender whose deliveries end when the test says so."""

    name = "post"

    def __init__(self):
        self.under_way = {}
        self.begun = []

    async def send(self, delivery):
        self.begun.append(delivery)
        ended = self.under_way[delivery.id] = asyncio.get_running_loop().create_future()
        return await ended

    async def end(self, outcome=None, error=None):
        """End the oldest delivery, and let what follows of it happen."""
        ended = self.under_way.pop(next(iter(self.under_way)))
        if error is None:
            ended.set_result(outcome or Outcome())
        else:
            ended.set_exception(error)
        await settled()


@pytest.fixture
async def post():
    return Post()


@pytest.fixture
async def lane(post):
    made = Lane("post 1", CommandHook(command=("true",)), post)
    yield made
    await made.stop()


def events(count, kind=EventType.NEW):
    return [event(kind, object_id=str(number)) for number in range(count)]


async def test_before_the_start_events_wait(lane, post):
    lane.notify(event())
    await settled()
    assert (post.begun, lane.counts().waiting) == ([], 1)
    lane.start()
    await settled()
    assert (len(post.begun), lane.counts().under_way) == (1, 1)


async def test_what_the_hook_does_not_ask_for_is_nothing_to_it(lane, post):
    lane.start()
    lane.notify(event(EventType.UPDATE))
    await settled()
    assert post.begun == []
    assert lane.counts() == HookCounts(0, 0, 0, 0, 0, 0)


async def test_so_many_at_once_and_no_more(lane, post):
    lane.start()
    for each in events(AT_ONCE + 3):
        lane.notify(each)
    await settled()
    assert (len(post.begun), lane.counts().waiting) == (AT_ONCE, 3)
    await post.end()
    assert (len(post.begun), lane.counts().waiting) == (AT_ONCE + 1, 2)


async def test_the_end_of_an_object_is_delivered_after_its_beginning(lane, post):
    lane.start()
    lane.notify(event(EventType.NEW))
    lane.notify(event(EventType.END))
    await settled()
    assert [delivery.kind for delivery in post.begun] == ["new"]
    await post.end()
    assert [delivery.kind for delivery in post.begun] == ["new", "end"]


async def test_too_many_cost_the_oldest_and_are_told_once(lane, post, caplog):
    for each in events(WAITING_CAP + 7):
        lane.notify(each)
    assert lane.counts() == HookCounts(WAITING_CAP + 7, 0, 0, 7, WAITING_CAP, 0)
    assert [record.getMessage() for record in caplog.records] == [
        f"post 1: 1 event dropped, the oldest of {WAITING_CAP} that wait"
    ]
    lane.start()
    await settled()
    assert post.begun[0].object == "7"


async def test_failures_are_told_once_and_the_first_success_after_them_too(lane, post, caplog):
    caplog.set_level("INFO")
    lane.start()
    for each in events(4):
        lane.notify(each)
    await settled()
    await post.end(Outcome(failure="it cannot be reached"))
    await post.end(Outcome(failure="it cannot be reached"))
    await post.end()
    await post.end(Outcome(said="done"))
    assert [record.getMessage() for record in caplog.records] == [
        "post 1: 1 event not delivered: it cannot be reached",
        "post 1: delivers again",
        "post 1: done",
    ]
    assert lane.counts() == HookCounts(4, 2, 2, 0, 0, 0)


async def test_a_fault_of_ours_costs_one_event(lane, post, caplog):
    lane.start()
    for each in events(2):
        lane.notify(each)
    await settled()
    await post.end(error=RuntimeError("http://host/with?token=secret"))
    await post.end()
    assert lane.counts() == HookCounts(2, 1, 1, 0, 0, 0)
    assert "a fault of our own" in caplog.text
    assert "secret" not in caplog.text


async def test_draining_ends_when_nothing_is_left(lane, post):
    lane.start()
    for each in events(AT_ONCE + 1):
        lane.notify(each)
    await settled()
    draining = asyncio.create_task(lane.drain())
    for _ in range(AT_ONCE + 1):
        await settled()
        assert not draining.done()
        await post.end()
    await asyncio.wait_for(draining, 5)
    assert lane.counts() == HookCounts(AT_ONCE + 1, AT_ONCE + 1, 0, 0, 0, 0)


async def test_stopping_gives_up_on_the_rest_and_says_so(lane, caplog):
    lane.start()
    for each in events(AT_ONCE + 3):
        lane.notify(each)
    await settled()
    await lane.stop()
    assert lane.counts() == HookCounts(AT_ONCE + 3, 0, 0, AT_ONCE + 3, 0, 0)
    assert f"post 1: {AT_ONCE + 3} events not delivered before the end" in caplog.text


async def test_after_a_minute_the_log_hears_how_many_more_there_were(lane, caplog, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(lane_module.time, "monotonic", lambda: now[0])
    for each in events(WAITING_CAP + 5):
        lane.notify(each)
    now[0] += TOLD_EVERY_S
    lane.notify(event(object_id="late"))
    assert [record.getMessage().split(",")[0] for record in caplog.records] == [
        "post 1: 1 event dropped",
        "post 1: 5 events dropped",
    ]


def test_sparing_words_tell_of_every_one_sooner_or_later():
    sparing = Sparing()
    told = [sparing.count(now) for now in (0.0, 1.0, 2.0, TOLD_EVERY_S, TOLD_EVERY_S + 1, 3 * TOLD_EVERY_S)]
    assert told == [1, 0, 0, 3, 0, 2]
