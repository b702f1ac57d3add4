from __future__ import annotations

import asyncio
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.bridge import event_queue
from gateway.bridge.event_queue import MAX_QUEUED_EVENTS, EventQueue
from shared.errors import BrokerError
from shared.mqtt import topics
from shared.payloads.bridge import BridgeEvent, BridgeEventType
from tests.settling import settled
from tests.unit.gateway.buses import StandInBus

WHERE = "bridge/event"


def event(number):
    return BridgeEvent(type=BridgeEventType.NODE_JOINED, name=f"pi-{number}", at=number)


@pytest.fixture(autouse=True)
def _at_once(monkeypatch):
    monkeypatch.setattr(event_queue, "RETRY_EVENT_S", 0)


@contextlib.asynccontextmanager
async def running(queue):
    task = asyncio.create_task(queue.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def numbers(bus, count):
    """Of the next so many events."""
    return [int(BridgeEvent.model_validate_json(await bus.next(WHERE)).at) for _ in range(count)]


class FailingBus(StandInBus):
    """One that does not take every message at the first attempt."""

    def __init__(self, failures):
        super().__init__()
        self._failures = iter(failures)

    async def publish(self, topic, message, *names):
        if next(self._failures, False):
            await asyncio.sleep(0)
            raise BrokerError("it did not take it")
        await super().publish(topic, message, *names)


async def test_events_are_published_in_their_order_with_their_names():
    bus = StandInBus()
    queue = EventQueue(bus)
    async with running(queue):
        for number in range(5):
            queue.put(topics.BRIDGE_EVENT, event(number))
        assert await numbers(bus, 5) == [0, 1, 2, 3, 4]
        queue.put(topics.RESPONSE, topics.RESPONSE.message(command="info", ok=True), "info")
        assert b'"info"' in await bus.next("bridge/response/info")


async def test_while_the_broker_is_away_events_wait():
    bus = StandInBus()
    bus.away = True
    queue = EventQueue(bus)
    async with running(queue):
        for number in range(3):
            queue.put(topics.BRIDGE_EVENT, event(number))
            await settled()
        assert bus.said == []
        bus.away = False
        assert await numbers(bus, 3) == [0, 1, 2]


async def test_when_the_broker_is_away_for_too_long_the_oldest_events_go_and_that_is_said(caplog):
    bus = StandInBus()
    queue = EventQueue(bus)
    for number in range(MAX_QUEUED_EVENTS + 3):
        queue.put(topics.BRIDGE_EVENT, event(number))
    assert caplog.text.count("the oldest is dropped") == 3
    async with running(queue):
        assert await numbers(bus, MAX_QUEUED_EVENTS) == list(range(3, MAX_QUEUED_EVENTS + 3))


@given(
    st.lists(st.sampled_from(["put", "away", "back", "turn"]), max_size=60),
    st.lists(st.booleans(), max_size=60),
)
def test_no_event_is_lost_or_overtaken_whenever_the_broker_goes(steps, failures):
    async def live():
        bus = FailingBus(failures)
        queue, put = EventQueue(bus), 0
        async with running(queue):
            for step in steps:
                if step == "put":
                    queue.put(topics.BRIDGE_EVENT, event(put))
                    put += 1
                elif step == "turn":
                    await asyncio.sleep(0)
                else:
                    bus.away = step == "away"
            bus.away = False
            assert await numbers(bus, put) == list(range(put))

    asyncio.run(live())
