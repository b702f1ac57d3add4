from __future__ import annotations

import pytest

from shared.errors import AnnouncementError, PeerLostError, PeerRefusedError, PeerTimeoutError
from shared.network.addresses import Address
from shared.network.announced_search import first_proved
from shared.network.gateway_search import GatewaySearch

KNOWN, HERE, THERE = (Address(f"192.168.1.{number}", 7886) for number in (10, 11, 12))


async def announced(*places):
    if places == (None,):
        raise AnnouncementError("the network is down")
    return list(places)


def only_at(right, tried, failure):
    async def prove(place):
        tried.append(place)
        if place != right:
            raise failure

    return prove


@pytest.mark.parametrize(
    "failure", [PeerRefusedError("no"), PeerLostError("no"), PeerTimeoutError("no"), ConnectionRefusedError(111, "no")]
)
async def test_who_does_not_prove_itself_is_passed_over_and_rests(failure):
    search, tried = GatewaySearch(KNOWN), []
    assert await first_proved(search, announced(HERE), only_at(THERE, tried, failure)) is None
    assert await first_proved(search, announced(HERE, THERE), only_at(THERE, tried, failure)) == THERE
    assert tried == [HERE, THERE]


async def test_a_member_with_a_port_of_its_own_is_tried_there():
    there, tried = Address(HERE.host, 7701), []
    assert await first_proved(GatewaySearch(KNOWN), announced(HERE), only_at(there, tried, OSError()), 7701) == there
    assert tried == [there]


async def test_a_mistake_of_ours_is_not_taken_for_a_failed_proof():
    with pytest.raises(ZeroDivisionError):
        await first_proved(GatewaySearch(KNOWN), announced(HERE), only_at(THERE, [], ZeroDivisionError()))


async def test_without_a_network_nobody_is_found():
    assert await first_proved(GatewaySearch(KNOWN), announced(None), only_at(HERE, [], OSError())) is None
