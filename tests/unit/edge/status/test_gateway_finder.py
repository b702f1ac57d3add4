from __future__ import annotations

import asyncio

import pytest

from edge.status import gateway_finder
from edge.status.gateway_finder import GatewayFinder
from shared.errors import AnnouncementError, PeerRefusedError
from shared.network import gateway_search
from shared.network.addresses import Address
from shared.security.code_parts import authority_in_code
from shared.security.issuing import issue_certificate, make_authority, make_key, public_key_of
from shared.security.key_folder import read_gateway, store_gateway
from shared.security.member_list import Role
from shared.security.node_identity import NodeIdentity

KNOWN, MOVED, IMPOSTOR = (Address(f"192.168.1.{number}", 7886) for number in (10, 11, 66))


@pytest.fixture
def joined(tmp_path):
    authority_key, key = make_key(), make_key()
    authority = make_authority(authority_key)
    certificate = issue_certificate(authority, authority_key, Role.EDGE, "porch", public_key_of(key))
    identity = NodeIdentity(tmp_path / "node", authority, certificate, key, "token")
    store_gateway(identity.folder, KNOWN)
    return identity


class Network:
    """What is announced, and where the gateway is; remembers what the edge asked for."""

    def __init__(self, *announced, gateway=None):
        self.announced, self.gateway = announced, gateway
        self.asked, self.tried = [], []

    async def listen(self, cluster):
        self.asked.append(cluster)
        if self.announced == (None,):
            raise AnnouncementError("the network is down")
        return list(self.announced)

    async def require_gateway(self, place, _):
        self.tried.append(place)
        if place == IMPOSTOR:
            raise PeerRefusedError("it is not the gateway")
        if place != self.gateway:
            raise ConnectionRefusedError(111, "refused")


def finder_of(joined, network, silent_s=lambda: 100.0):
    return GatewayFinder(joined, KNOWN, silent_s, listen=network.listen, require_gateway=network.require_gateway)


@pytest.fixture
def at_once(monkeypatch):
    monkeypatch.setattr(gateway_finder, "_CHECK_PERIOD_S", 0.0)
    monkeypatch.setattr(gateway_search, "LOOK_AFTER_S", 0.0)


@pytest.mark.usefixtures("at_once")
async def test_the_gateway_that_proves_itself_is_gone_to_and_kept_for_the_next_start(joined, caplog):
    caplog.set_level("INFO")
    network = Network(MOVED, gateway=MOVED)
    assert await finder_of(joined, network).find() == MOVED
    assert read_gateway(joined.folder) == MOVED
    assert network.asked == [authority_in_code(joined.authority_hash)]
    (line,) = caplog.messages
    assert "192.168.1.10:7886 does not answer any more; it is at 192.168.1.11:7886 now" in line


@pytest.mark.usefixtures("at_once")
async def test_an_impostor_is_tried_once_and_changes_nothing(joined, caplog):
    caplog.set_level("INFO")
    network = Network(IMPOSTOR)
    finder = finder_of(joined, network)
    assert [await finder.look() for _ in range(3)] == [None, None, None]
    assert network.tried == [IMPOSTOR]
    assert read_gateway(joined.folder) == KNOWN
    assert not caplog.messages


async def test_the_gateway_is_found_beside_impostors(joined):
    network = Network(IMPOSTOR, Address("10.0.0.5", 7886), MOVED, gateway=MOVED)
    assert await finder_of(joined, network).look() == MOVED


async def test_without_a_network_the_search_goes_on_later(joined):
    network = Network(None)
    assert await finder_of(joined, network).look() is None
    network.announced, network.gateway = (MOVED,), MOVED
    assert await finder_of(joined, network).look() == MOVED


async def test_a_gateway_that_answers_meanwhile_is_stayed_with(joined, monkeypatch):
    """It was silent when the edge began to listen, and is not at the end."""
    monkeypatch.setattr(gateway_finder, "_CHECK_PERIOD_S", 0.0)
    silences = iter([100.0, 0.0])
    network = Network(MOVED, gateway=MOVED)
    looked = asyncio.Event()

    def silent_s():
        silence = next(silences, 0.0)
        if network.tried:
            looked.set()
        return silence

    finding = asyncio.create_task(finder_of(joined, network, silent_s).find())
    async with asyncio.timeout(5):
        await looked.wait()
    assert not finding.done()
    finding.cancel()
    await asyncio.gather(finding, return_exceptions=True)
    assert read_gateway(joined.folder) == KNOWN


@pytest.mark.usefixtures("at_once")
async def test_an_edge_that_cannot_write_its_folder_goes_there_all_the_same(joined, monkeypatch, caplog):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(gateway_finder, "store_gateway", full)
    assert await finder_of(joined, Network(MOVED, gateway=MOVED)).find() == MOVED
    assert "the disk is full" in caplog.text
