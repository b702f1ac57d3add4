"""A camera on a device of its own, whose edge is silent: where it looks, and whom it believes."""

from __future__ import annotations

import pytest

from camera_sources.agent import member_finder
from camera_sources.agent.member_finder import MemberFinder
from shared.errors import AnnouncementError, PeerLostError
from shared.network import gateway_search
from shared.network.addresses import Address
from shared.security.code_parts import authority_in_code
from shared.security.member_list import Member, Role
from tests.members import KeyedCluster

KNOWN = Address("192.168.1.10", 7701)
MOVED, STRANGER = Address("192.168.1.11", 7886), Address("192.168.1.66", 7886)
EDGE = Member(role=Role.EDGE, name="hall", key_hash="a" * 64)


class Network:
    """What is announced, and where the edge is; remembers what the camera asked for."""

    def __init__(self, *announced, edge=None):
        self.announced, self.edge = announced, edge
        self.asked, self.tried = [], []

    async def listen(self, cluster):
        self.asked.append(cluster)
        if self.announced == (None,):
            raise AnnouncementError("the network is down")
        return list(self.announced)

    async def require_member(self, address, _, edge):
        self.tried.append((address, edge))
        if address != self.edge:
            raise PeerLostError("it is not the edge 'hall'")


@pytest.fixture
def identity(tmp_path):
    return KeyedCluster(tmp_path).identity(Role.CAMERA, "door")


@pytest.fixture
def clock(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(member_finder.time, "monotonic", lambda: now[0])
    return now


def finder_in(network, identity):
    return MemberFinder(identity, KNOWN, listen=network.listen, require_member=network.require_member)


async def silent(finder, clock, seconds=gateway_search.LOOK_AFTER_S):
    """Fail to connect, and again after so long."""
    await finder.look_after_failure()
    clock[0] += seconds
    await finder.look_after_failure()


async def test_an_edge_beside_the_gateway_is_found_at_its_port_there(identity, clock):
    network = Network(STRANGER, MOVED, edge=Address(MOVED.host, KNOWN.port))
    finder = finder_in(network, identity)
    finder.note_connected(EDGE)
    await silent(finder, clock)
    assert finder.address == Address(MOVED.host, KNOWN.port)
    assert network.asked == [authority_in_code(identity.authority_hash)]
    assert {edge for _, edge in network.tried} == {EDGE}


async def test_who_does_not_prove_to_be_this_edge_is_not_believed_and_rests(identity, clock):
    network = Network(STRANGER)
    finder = finder_in(network, identity)
    finder.note_connected(EDGE)
    await silent(finder, clock)
    clock[0] += gateway_search.LOOK_AFTER_S
    await finder.look_after_failure()
    assert finder.address == KNOWN
    assert len(network.asked) == 2
    assert network.tried == [(Address(STRANGER.host, KNOWN.port), EDGE)]


async def test_nobody_listens_before_a_minute_of_silence_and_not_after_an_answer(identity, clock):
    network = Network(MOVED)
    finder = finder_in(network, identity)
    finder.note_connected(EDGE)
    await silent(finder, clock, gateway_search.LOOK_AFTER_S - 1)
    finder.note_connected(EDGE)
    await silent(finder, clock, gateway_search.LOOK_AFTER_S - 1)
    assert network.asked == []


async def test_a_camera_that_has_never_known_its_edge_and_one_without_keys_look_for_nobody(identity, clock):
    network = Network(MOVED)
    unknown, keyless = finder_in(network, identity), finder_in(network, None)
    keyless.note_connected(None)
    await silent(unknown, clock)
    await silent(keyless, clock)
    assert network.asked == []


async def test_a_network_without_announcements_changes_nothing(identity, clock):
    finder = finder_in(Network(None), identity)
    finder.note_connected(EDGE)
    await silent(finder, clock)
    assert finder.address == KNOWN
