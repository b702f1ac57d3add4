from __future__ import annotations

import asyncio

import pytest

from gateway.cluster.device_watch import DeviceWatch
from gateway.cluster.speeds import NodeSpeeds
from tests.settling import until
from tests.unit.gateway.cluster.offered_plans import Clock

NODES = ("pi-1", "pi-2", "pi-3")


class House:
    """Devices, of which some get no tiles, and the devices that plans were made for."""

    def __init__(self, monkeypatch):
        self.present, self.without_tiles = NODES, set()
        monkeypatch.setattr("gateway.cluster.device_watch.NODES_SETTLE_S", 0.0)
        self.speeds = NodeSpeeds()
        self.kernels = {}
        self.clock, self.lasts_s, self.looks = Clock(), 0.0, 0
        monkeypatch.setattr("gateway.cluster.device_watch.time", self.clock)
        watch = DeviceWatch(self, self.speeds, self.takes_tiles, lambda: self.lasts_s, self.kernels.get)
        self._changes = watch.changes()

    def takes_tiles(self, node):
        self.looks += 1
        return node not in self.without_tiles

    async def next_devices(self):
        async with asyncio.timeout(5):
            nodes, shares = await anext(self._changes)
        assert len(shares) == len(nodes)
        return nodes

    def next_change(self):
        """The next devices, when there is a change."""
        return asyncio.create_task(self.next_devices())

    async def look_at_devices(self):
        """Wait until the devices have been looked at several times."""
        before = self.looks
        await until("a look", lambda: self.looks > before + 10 * len(NODES))


@pytest.fixture
async def house(monkeypatch):
    made = House(monkeypatch)
    yield made
    await made._changes.aclose()


async def test_a_plan_is_made_for_the_devices_that_get_tiles(house):
    house.without_tiles = {"pi-2"}
    assert await house.next_devices() == ("pi-1", "pi-3")
    house.without_tiles = set()
    assert await house.next_devices() == NODES


async def test_a_device_that_leaves_or_gets_no_more_tiles_is_planned_without(house):
    assert await house.next_devices() == NODES
    house.present = NODES[:2]
    assert await house.next_devices() == NODES[:2]
    house.without_tiles = {"pi-1"}
    assert await house.next_devices() == ("pi-2",)


async def test_when_no_device_gets_tiles_all_are_planned_for(house):
    """The frames of drained devices are still computed, by themselves."""
    house.without_tiles = {*NODES}
    assert await house.next_devices() == NODES


async def test_a_device_that_becomes_slower_than_the_others_is_a_change(house):
    assert await house.next_devices() == NODES
    for node, speed in zip(NODES, (1e9, 1e9, 5e8), strict=True):
        house.speeds.add_trial(node, speed)
    assert await house.next_devices() == NODES
    for node in NODES:
        house.speeds.add_trial(node, 2e9)
    assert await house.next_devices() == NODES
    for node in NODES:  # all of them alike: the shares are the same
        house.speeds.add_trial(node, 1e9)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await anext(house._changes)


async def test_kinds_of_layers_that_a_device_has_measured_are_a_change(house):
    assert await house.next_devices() == NODES
    house.kernels["pi-2"] = {"depthwise": 3.0}
    assert await house.next_devices() == NODES
    house.kernels["pi-2"] = {"depthwise": 3.0}
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await anext(house._changes)


async def test_speeds_and_kinds_alone_are_no_change_before_the_plans_have_lasted_as_long_as_they_should(house):
    house.lasts_s = 60.0
    assert await house.next_devices() == NODES
    house.lasts_s = 300.0  # making those plans took long
    house.kernels["pi-2"] = {"depthwise": 3.0}
    for node, speed in zip(NODES, (1e9, 1e9, 5e8), strict=True):
        house.speeds.add_trial(node, speed)
    change = house.next_change()
    for passed in (59.0, 61.0, 299.0):
        house.clock.now = 100.0 + passed
        await house.look_at_devices()
        assert not change.done()
    house.clock.now = 400.0
    assert await change == NODES


async def test_devices_that_come_or_go_are_a_change_at_once_however_long_plans_should_last(house):
    house.lasts_s = 1e9
    assert await house.next_devices() == NODES
    house.present = NODES[1:]
    assert await house.next_devices() == NODES[1:]
    house.present = NODES
    assert await house.next_devices() == NODES
