from __future__ import annotations

import asyncio

import pytest

from gateway.configuration.automation import CommandHook
from gateway.integrations.hooks import queue as lane_module
from gateway.integrations.hooks.bounded_queue import MAX_WAITING_DELIVERIES
from gateway.integrations.hooks.delivery import DeliveryOutcome
from gateway.integrations.hooks.queue import (
    HOOK_LOG_PERIOD_S,
    MAX_CONCURRENT_DELIVERIES,
    HookCounts,
    HookQueue,
    LogThrottle,
)
from shared.payloads.observations import EventType
from tests.hook_events import event


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
            ended.set_result(outcome or DeliveryOutcome())
        else:
            ended.set_exception(error)
        await settled()


async def settled():
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.fixture
async def post():
    return Post()


@pytest.fixture
async def lane(post):
    made = HookQueue("post 1", CommandHook(command=("true",)), post)
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
    for each in events(MAX_CONCURRENT_DELIVERIES + 3):
        lane.notify(each)
    await settled()
    assert (len(post.begun), lane.counts().waiting) == (MAX_CONCURRENT_DELIVERIES, 3)
    await post.end()
    assert (len(post.begun), lane.counts().waiting) == (MAX_CONCURRENT_DELIVERIES + 1, 2)


async def test_the_end_of_an_object_is_delivered_after_its_beginning(lane, post):
    lane.start()
    lane.notify(event(EventType.NEW))
    lane.notify(event(EventType.END))
    await settled()
    assert [delivery.kind for delivery in post.begun] == ["new"]
    await post.end()
    assert [delivery.kind for delivery in post.begun] == ["new", "end"]


async def test_too_many_cost_the_oldest_and_are_told_once(lane, post, caplog):
    for each in events(MAX_WAITING_DELIVERIES + 7):
        lane.notify(each)
    assert lane.counts() == HookCounts(MAX_WAITING_DELIVERIES + 7, 0, 0, 7, MAX_WAITING_DELIVERIES, 0)
    assert [record.getMessage() for record in caplog.records] == [
        f"post 1: 1 event dropped, the oldest of {MAX_WAITING_DELIVERIES} that wait"
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
    await post.end(DeliveryOutcome(failure="it cannot be reached"))
    await post.end(DeliveryOutcome(failure="it cannot be reached"))
    await post.end()
    await post.end(DeliveryOutcome(said="done"))
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
    for each in events(MAX_CONCURRENT_DELIVERIES + 1):
        lane.notify(each)
    await settled()
    draining = asyncio.create_task(lane.drain())
    for _ in range(MAX_CONCURRENT_DELIVERIES + 1):
        await settled()
        assert not draining.done()
        await post.end()
    await asyncio.wait_for(draining, 5)
    assert lane.counts() == HookCounts(MAX_CONCURRENT_DELIVERIES + 1, MAX_CONCURRENT_DELIVERIES + 1, 0, 0, 0, 0)


async def test_stopping_gives_up_on_the_rest_and_says_so(lane, caplog):
    lane.start()
    for each in events(MAX_CONCURRENT_DELIVERIES + 3):
        lane.notify(each)
    await settled()
    await lane.stop()
    assert lane.counts() == HookCounts(MAX_CONCURRENT_DELIVERIES + 3, 0, 0, MAX_CONCURRENT_DELIVERIES + 3, 0, 0)
    assert f"post 1: {MAX_CONCURRENT_DELIVERIES + 3} events not delivered before the end" in caplog.text


async def test_after_a_minute_the_log_hears_how_many_more_there_were(lane, caplog, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(lane_module.time, "monotonic", lambda: now[0])
    for each in events(MAX_WAITING_DELIVERIES + 5):
        lane.notify(each)
    now[0] += HOOK_LOG_PERIOD_S
    lane.notify(event(object_id="late"))
    assert [record.getMessage().split(",")[0] for record in caplog.records] == [
        "post 1: 1 event dropped",
        "post 1: 5 events dropped",
    ]


def test_sparing_words_tell_of_every_one_sooner_or_later():
    sparing = LogThrottle()
    told = [
        sparing.count(now) for now in (0.0, 1.0, 2.0, HOOK_LOG_PERIOD_S, HOOK_LOG_PERIOD_S + 1, 3 * HOOK_LOG_PERIOD_S)
    ]
    assert told == [1, 0, 0, 3, 0, 2]
