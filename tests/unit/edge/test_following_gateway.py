"""An edge whose gateway is found elsewhere ends there as at a stop, and goes on at the new address."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from edge import command
from edge.options import EdgeConfig
from shared.mqtt.broker_login import ANONYMOUS
from shared.network.addresses import LOOPBACK, Address

KNOWN, MOVED = Address("192.168.1.10", 7886), Address("192.168.1.11", 7886)
OWN_PORT = 40123


class Happenings:
    """What an edge did, and what it waits for."""

    def __init__(self):
        self.ran, self.ended, self.searches = [], [], []
        self.found, self.runs, self.claiming = asyncio.Event(), asyncio.Event(), False

    async def until_it_runs(self):
        async with asyncio.timeout(5):
            await self.runs.wait()
        self.runs.clear()


class Owner:
    connected = False

    def __init__(self, edge, *_, **__):
        self.edge = edge

    async def claim(self):
        if self.edge.claiming:
            self.edge.runs.set()
            await asyncio.Event().wait()

    async def release(self):
        self.edge.ended.append("released")


class Node:
    port = OWN_PORT

    def __init__(self, edge, config, *_):
        self.edge, self.config = edge, config

    async def run(self, stop):
        self.edge.ran.append((self.config.broker, self.config.listen.port))
        self.edge.runs.set()
        await stop.wait()
        self.edge.ended.append("stopped")


class Finder:
    def __init__(self, edge, _, known, silent_s):
        self.edge, self.known = edge, known
        self.edge.searches.append(known)
        assert silent_s() < 60

    async def find(self):
        if self.known == KNOWN:
            await self.edge.found.wait()
            return MOVED
        return await asyncio.Event().wait()


@pytest.fixture
async def edge(monkeypatch):
    happenings = Happenings()
    for name, part in (("NameOwner", Owner), ("EdgeNode", Node), ("GatewayFinder", Finder)):
        monkeypatch.setattr(command, name, partial(part, happenings))
    monkeypatch.setattr(EdgeConfig, "login", ANONYMOUS)
    return happenings


@pytest.fixture
async def stop():
    return asyncio.Event()


def config(broker=KNOWN, identity="keys"):
    return EdgeConfig(name="porch", broker=broker, identity=identity)


async def ends(running):
    async with asyncio.timeout(5):
        await running


async def test_it_ends_in_order_and_goes_on_at_the_new_address_and_at_its_own_port(edge, stop):
    running = asyncio.create_task(command.run_edge(config(), stop))
    await edge.until_it_runs()
    edge.found.set()
    await edge.until_it_runs()
    assert edge.ran == [(KNOWN, 0), (MOVED, OWN_PORT)]
    assert edge.ended == ["stopped", "released"]
    assert edge.searches == [KNOWN, MOVED]
    stop.set()
    await ends(running)
    assert edge.ended == ["stopped", "released"] * 2


async def test_an_edge_that_still_waits_for_its_first_connection_goes_there_too(edge, stop):
    edge.claiming = True
    running = asyncio.create_task(command.run_edge(config(), stop))
    await edge.until_it_runs()
    edge.claiming = False
    edge.found.set()
    await edge.until_it_runs()
    assert edge.ran == [(MOVED, 0)]
    stop.set()
    await ends(running)


@pytest.mark.parametrize("options", [{"identity": None}, {"broker": Address(LOOPBACK, 7886)}])
async def test_without_keys_and_at_a_gateway_of_its_machine_it_never_searches(edge, stop, options):
    running = asyncio.create_task(command.run_edge(config(**options), stop))
    await edge.until_it_runs()
    assert edge.searches == []
    stop.set()
    await ends(running)


async def test_a_stop_wins_over_a_find(edge, stop):
    running = asyncio.create_task(command.run_edge(config(), stop))
    await edge.until_it_runs()
    edge.found.set()
    stop.set()
    await ends(running)
    assert edge.ran == [(KNOWN, 0)]
