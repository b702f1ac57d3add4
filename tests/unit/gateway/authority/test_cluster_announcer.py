from __future__ import annotations

import asyncio
from ipaddress import IPv6Interface
from types import SimpleNamespace

import pytest

from gateway.authority import cluster_announcer
from gateway.authority.cluster_announcer import ClusterAnnouncer, announcer_for
from shared.errors import AnnouncementError
from shared.network.addresses import Address

EVERYWHERE = Address("0.0.0.0", 7886)  # noqa: S104
HASH = "00" * 32


class Announcements:
    """In the place of mDNS: what is announced now, and all that was."""

    def __init__(self):
        self.now, self.all, self.fails = [], [], []
        self.changed = asyncio.Event()

    async def announce(self, cluster, port, addresses):
        if self.fails:
            self.changed.set()
            raise AnnouncementError(self.fails.pop())
        announced = (cluster, port, addresses)

        async def async_close():
            self.now.remove(announced)
            self.changed.set()

        self.now.append(announced)
        self.all.append(announced)
        self.changed.set()
        return SimpleNamespace(async_close=async_close)

    async def until(self, condition):
        async with asyncio.timeout(5):
            while not condition():
                self.changed.clear()
                await self.changed.wait()


@pytest.fixture
def mdns(monkeypatch):
    announcements = Announcements()
    monkeypatch.setattr(cluster_announcer, "_mdns", lambda: announcements)
    monkeypatch.setattr(cluster_announcer, "ADDRESS_CHECK_PERIOD_S", 0.0)
    return announcements


@pytest.fixture
def addresses(monkeypatch):
    found = ["127.0.0.1", "192.168.1.10"]
    monkeypatch.setattr(cluster_announcer, "interface_addresses", lambda: list(found))
    monkeypatch.setattr(cluster_announcer, "interface_networks_v6", lambda: [IPv6Interface("fd77::5/64")])
    return found


@pytest.fixture
async def running(mdns, addresses):  # noqa: ARG001  (they must be there before)
    task = asyncio.create_task(ClusterAnnouncer(SimpleNamespace(authority_hash=HASH), EVERYWHERE).run())
    yield task
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.mark.usefixtures("running")
async def test_a_new_address_of_the_machine_takes_the_place_of_the_old_one(mdns, addresses):
    await mdns.until(lambda: mdns.now)
    addresses[1] = "192.168.1.20"
    await mdns.until(lambda: len(mdns.all) == 2 and len(mdns.now) == 1)
    assert mdns.all == [("a" * 26, 7886, ("192.168.1.10",)), ("a" * 26, 7886, ("192.168.1.20",))]


@pytest.mark.usefixtures("running")
async def test_without_a_network_nothing_is_announced_until_there_is_one(mdns, addresses):
    await mdns.until(lambda: mdns.now)
    del addresses[1]
    await mdns.until(lambda: not mdns.now)
    addresses.append("192.168.1.10")
    await mdns.until(lambda: mdns.now)


async def test_what_ends_says_goodbye(mdns, running):
    await mdns.until(lambda: mdns.now)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert mdns.now == []


@pytest.mark.usefixtures("running")
async def test_failures_are_said_once_and_tried_again(mdns, caplog):
    mdns.fails = ["the port is in use"] * 3
    await mdns.until(lambda: mdns.now)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "cannot announce itself: the port is in use" in caplog.text


def test_a_gateway_without_keys_is_not_announced_nor_one_that_is_configured_to_be_silent():
    keys = SimpleNamespace(authority_hash=HASH)
    assert announcer_for(None, EVERYWHERE, wanted=True) is None
    assert announcer_for(keys, EVERYWHERE, wanted=False) is None
    assert announcer_for(keys, EVERYWHERE, wanted=True) is not None
