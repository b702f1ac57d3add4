from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from gateway.cluster.replanning import Replanner
from gateway.cluster.speeds import NodeSpeeds
from gateway.options import GatewayOptions
from gateway.planning.methods import Method

NODES = ("pi-1", "pi-2", "pi-3")


class House:
    """Devices, of which some get no tiles, and the devices that plans were made for."""

    def __init__(self, monkeypatch):
        self.present, self.without_tiles = NODES, set()
        monkeypatch.setattr("gateway.cluster.replanning.NODES_SETTLE_S", 0.0)
        monkeypatch.setattr("gateway.cluster.replanning.PartitionedModel", SimpleNamespace(of=lambda *parts: parts[-1]))
        replanner = Replanner(
            GatewayOptions(method=Method.BODP), None, self, NodeSpeeds(), lambda node: node not in self.without_tiles
        )
        self._plans = replanner.run()

    async def next_plan(self):
        async with asyncio.timeout(5):
            shares, nodes = await anext(self._plans)
        assert len(shares) == len(nodes)
        return nodes


@pytest.fixture
async def house(monkeypatch):
    made = House(monkeypatch)
    yield made
    await made._plans.aclose()


async def test_a_plan_is_made_for_the_devices_that_get_tiles(house):
    house.without_tiles = {"pi-2"}
    assert await house.next_plan() == ("pi-1", "pi-3")
    house.without_tiles = set()
    assert await house.next_plan() == NODES


async def test_a_device_that_leaves_or_gets_no_more_tiles_is_planned_without(house):
    assert await house.next_plan() == NODES
    house.present = NODES[:2]
    assert await house.next_plan() == NODES[:2]
    house.without_tiles = {"pi-1"}
    assert await house.next_plan() == ("pi-2",)


async def test_when_no_device_gets_tiles_all_are_planned_for(house):
    """The frames of drained devices are still computed, by themselves."""
    house.without_tiles = {*NODES}
    assert await house.next_plan() == NODES
