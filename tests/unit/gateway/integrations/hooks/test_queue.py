from __future__ import annotations

import asyncio

import pytest

from gateway.configuration.automation import CommandHookSection
from gateway.integrations.hooks import queue as hook_queue
from gateway.integrations.hooks.delivery import DeliveryOutcome
from gateway.integrations.hooks.queue import (
    HOOK_LOG_PERIOD_S,
    MAX_CONCURRENT_DELIVERIES,
    MAX_WAITING_DELIVERIES,
    HookCounts,
    HookDispatcher,
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
async def dispatcher(post):
    made = HookDispatcher("post 1", CommandHookSection(command=("true",)), post)
    yield made
    await made.stop()


def events(count, kind=EventType.NEW):
    return [event(kind, object_id=str(number)) for number in range(count)]


async def test_before_the_start_events_wait(dispatcher, post):
    dispatcher.notify(event())
    await settled()
    assert (post.begun, dispatcher.counts().waiting) == ([], 1)
    dispatcher.start()
    await settled()
    assert (len(post.begun), dispatcher.counts().in_progress) == (1, 1)


async def test_what_the_hook_does_not_ask_for_is_nothing_to_it(dispatcher, post):
    dispatcher.start()
    dispatcher.notify(event(EventType.UPDATE))
    await settled()
    assert post.begun == []
    assert dispatcher.counts() == HookCounts(0, 0, 0, 0, 0, 0)


async def test_so_many_at_once_and_no_more(dispatcher, post):
    dispatcher.start()
    for each in events(MAX_CONCURRENT_DELIVERIES + 3):
        dispatcher.notify(each)
    await settled()
    assert (len(post.begun), dispatcher.counts().waiting) == (MAX_CONCURRENT_DELIVERIES, 3)
    await post.end()
    assert (len(post.begun), dispatcher.counts().waiting) == (MAX_CONCURRENT_DELIVERIES + 1, 2)


async def test_the_end_of_an_object_is_delivered_after_its_beginning(dispatcher, post):
    dispatcher.start()
    dispatcher.notify(event(EventType.NEW))
    dispatcher.notify(event(EventType.END))
    await settled()
    assert [delivery.kind for delivery in post.begun] == ["new"]
    await post.end()
    assert [delivery.kind for delivery in post.begun] == ["new", "end"]


async def test_too_many_cost_the_oldest_and_are_told_once(dispatcher, post, caplog):
    for each in events(MAX_WAITING_DELIVERIES + 7):
        dispatcher.notify(each)
    assert dispatcher.counts() == HookCounts(MAX_WAITING_DELIVERIES + 7, 0, 0, 7, MAX_WAITING_DELIVERIES, 0)
    assert [record.getMessage() for record in caplog.records] == [
        f"post 1: 1 event dropped, the oldest of {MAX_WAITING_DELIVERIES} that wait"
    ]
    dispatcher.start()
    await settled()
    assert post.begun[0].object == "7"


async def test_failures_are_told_once_and_the_first_success_after_them_too(dispatcher, post, caplog):
    caplog.set_level("INFO")
    dispatcher.start()
    for each in events(4):
        dispatcher.notify(each)
    await settled()
    await post.end(DeliveryOutcome(failure="it cannot be reached"))
    await post.end(DeliveryOutcome(failure="it cannot be reached"))
    await post.end()
    await post.end(DeliveryOutcome(output="done"))
    assert [record.getMessage() for record in caplog.records] == [
        "post 1: 1 event not delivered: it cannot be reached",
        "post 1: delivers again",
        "post 1: done",
    ]
    assert dispatcher.counts() == HookCounts(4, 2, 2, 0, 0, 0)


async def test_the_last_failure_is_a_problem_until_the_next_success(dispatcher, post):
    dispatcher.start()
    for each in events(3):
        dispatcher.notify(each)
    await settled()
    assert dispatcher.problems() == []
    await post.end()
    await post.end(DeliveryOutcome(failure="it cannot be reached"))
    assert dispatcher.problems() == [
        "post 1: the last event was not delivered: it cannot be reached "
        "(of 3 events: 1 delivered, 1 failed, 0 dropped, 1 waiting)"
    ]
    await post.end()
    assert dispatcher.problems() == []


async def test_a_fault_of_ours_costs_one_event(dispatcher, post, caplog):
    dispatcher.start()
    for each in events(2):
        dispatcher.notify(each)
    await settled()
    await post.end(error=RuntimeError("http://host/with?token=secret"))
    await post.end()
    assert dispatcher.counts() == HookCounts(2, 1, 1, 0, 0, 0)
    assert "an internal error" in caplog.text
    assert "secret" not in caplog.text


async def test_draining_ends_when_nothing_is_left(dispatcher, post):
    dispatcher.start()
    for each in events(MAX_CONCURRENT_DELIVERIES + 1):
        dispatcher.notify(each)
    await settled()
    draining = asyncio.create_task(dispatcher.drain())
    for _ in range(MAX_CONCURRENT_DELIVERIES + 1):
        await settled()
        assert not draining.done()
        await post.end()
    await asyncio.wait_for(draining, 5)
    assert dispatcher.counts() == HookCounts(MAX_CONCURRENT_DELIVERIES + 1, MAX_CONCURRENT_DELIVERIES + 1, 0, 0, 0, 0)


async def test_stopping_gives_up_on_the_rest_and_says_so(dispatcher, caplog):
    dispatcher.start()
    for each in events(MAX_CONCURRENT_DELIVERIES + 3):
        dispatcher.notify(each)
    await settled()
    await dispatcher.stop()
    assert dispatcher.counts() == HookCounts(MAX_CONCURRENT_DELIVERIES + 3, 0, 0, MAX_CONCURRENT_DELIVERIES + 3, 0, 0)
    assert f"post 1: {MAX_CONCURRENT_DELIVERIES + 3} events not delivered before the end" in caplog.text


async def test_after_a_minute_the_log_hears_how_many_more_there_were(dispatcher, caplog, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(hook_queue.time, "monotonic", lambda: now[0])
    for each in events(MAX_WAITING_DELIVERIES + 5):
        dispatcher.notify(each)
    now[0] += HOOK_LOG_PERIOD_S
    dispatcher.notify(event(object_id="late"))
    assert [record.getMessage().split(",")[0] for record in caplog.records] == [
        "post 1: 1 event dropped",
        "post 1: 5 events dropped",
    ]


def test_throttle_words_tell_of_every_one_sooner_or_later():
    throttle = LogThrottle()
    told = [
        throttle.count(now) for now in (0.0, 1.0, 2.0, HOOK_LOG_PERIOD_S, HOOK_LOG_PERIOD_S + 1, 3 * HOOK_LOG_PERIOD_S)
    ]
    assert told == [1, 0, 0, 3, 0, 2]
