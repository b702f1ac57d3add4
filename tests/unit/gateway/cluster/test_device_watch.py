from __future__ import annotations

import asyncio

import pytest

from gateway.cluster.device_watch import DeviceWatch
from gateway.cluster.speeds import NodeSpeeds

NODES = ("pi-1", "pi-2", "pi-3")


class House:
    """Devices, of which some get no tiles, and the devices that plans were made for."""

    def __init__(self, monkeypatch):
        self.present, self.without_tiles = NODES, set()
        monkeypatch.setattr("gateway.cluster.device_watch.NODES_SETTLE_S", 0.0)
        self.speeds = NodeSpeeds()
        self.kernels = {}
        watch = DeviceWatch(
            self,
            self.speeds,
            lambda node: node not in self.without_tiles,
            lasts_s=0.0,
            what_else_counts=self.kernels.get,
        )
        self._changes = watch.changes()

    async def next_devices(self):
        async with asyncio.timeout(5):
            nodes, shares = await anext(self._changes)
        assert len(shares) == len(nodes)
        return nodes


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
