from __future__ import annotations

from shared.wire.unreached import FORGOTTEN_S, UNREACHED_CAP, Unreached, UnreachedAddress


def test_an_address_is_unreached_from_a_failure_to_a_success():
    unreached = Unreached()
    assert unreached.at(100) == ()
    unreached.failed("10.0.0.2", 7, "connection refused", 100)
    unreached.failed("10.0.0.1", 7, "it does not answer", 101)
    unreached.failed("10.0.0.1", 7, "no route to it", 102)
    assert unreached.at(103) == (
        UnreachedAddress("10.0.0.1", 7, "no route to it"),
        UnreachedAddress("10.0.0.2", 7, "connection refused"),
    )
    unreached.reached("10.0.0.1", 7)
    unreached.reached("10.0.0.3", 7)
    assert [peer.host for peer in unreached.at(103)] == ["10.0.0.2"]


def test_what_nobody_tries_any_more_is_forgotten():
    unreached = Unreached()
    unreached.failed("10.0.0.1", 7, "no route to it", 100)
    assert unreached.at(100 + FORGOTTEN_S - 1)
    assert not unreached.at(100 + FORGOTTEN_S)


def test_addresses_without_end_are_not_remembered():
    unreached = Unreached()
    for port in range(UNREACHED_CAP + 5):
        unreached.failed("10.0.0.1", port, "connection refused", 100)
    assert [peer.port for peer in unreached.at(100)] == list(range(5, UNREACHED_CAP + 5))
