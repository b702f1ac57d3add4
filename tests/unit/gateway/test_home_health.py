"""The health of a gateway: when it is published, and what it counts."""

from __future__ import annotations

import asyncio

import pytest

from gateway import home as module
from gateway.bridge.health_publisher import HEALTH_PERIOD_S
from shared.payloads.bridge import BridgeHealth
from shared.payloads.frames import Outcome
from tests.unit.gateway.houses import House, running


class Clock:
    """Seconds that a test lets pass, and how often health was looked at."""

    def __init__(self):
        self.now = 1000.0
        self._looked = asyncio.Event()

    def monotonic(self):
        return self.now

    def look(self):
        self._looked.set()

    async def looks(self):
        """Wait until it was looked at some times more."""
        async with asyncio.timeout(10):
            for _ in range(3):
                self._looked.clear()
                await self._looked.wait()


@pytest.fixture
def clock(monkeypatch):
    clock, report = Clock(), module.GatewayHealth.report

    def watched(*said):
        clock.look()
        return report(*said)

    monkeypatch.setattr("gateway.bridge.health_publisher.HEALTH_CHECK_PERIOD_S", 0)
    monkeypatch.setattr(module.time, "monotonic", clock.monotonic)
    monkeypatch.setattr(module.GatewayHealth, "report", watched)
    return clock


@pytest.fixture
async def watched(clock, tmp_path):  # noqa: ARG001  (it is the clock of the house)
    """A house whose health is told, by that clock."""
    house = House(tmp_path)
    async with running(house.home.health_publisher.run()):
        yield house


async def health(house):
    return BridgeHealth.model_validate_json(await house.bus.next("bridge/health"))


async def test_health_is_published_at_once_and_then_when_it_changes(watched):
    first = await health(watched)
    assert (first.cameras, first.cameras_online, first.nodes_online) == (1, 0, 0)
    assert first.problems == ("camera door: no edge has reported it yet", "no edge is connected")
    await watched.edges("pi-1")
    assert (await health(watched)).nodes_online == 1
    await watched.hear()
    assert (await health(watched)).problems == ()
    watched.home.on_frame_ended("door", Outcome.DEADLINE)
    last = await health(watched)
    assert last.problems == ("frames of camera door were lost recently",)
    assert last.dropped == 1


async def test_health_that_does_not_change_is_published_once_a_minute(watched, clock):
    await health(watched)
    clock.now += HEALTH_PERIOD_S - 1
    watched.home.on_frame_ended("door", Outcome.PUBLISHED)
    await clock.looks()
    assert len(watched.bus.payloads("bridge/health")) == 1
    clock.now += 1
    assert (await health(watched)).published == 1


async def test_a_camera_that_was_started_by_hand_is_none_of_those_that_must_be_there(watched, clock):
    first = await health(watched)
    await watched.hear("by-hand")
    await clock.looks()
    assert (first.cameras, first.cameras_online) == (1, 0)
    assert len(watched.bus.payloads("bridge/health")) == 1


async def test_after_a_reconnect_health_is_published_again(watched):
    await health(watched)
    watched.bus.forget()
    await watched.home.on_connected()
    await health(watched)


async def test_health_is_published_when_there_is_a_broker_again(watched, clock):
    await health(watched)
    watched.bus.away = True
    await watched.edges("pi-1")
    await clock.looks()
    watched.bus.away = False
    assert (await health(watched)).nodes_online == 1
