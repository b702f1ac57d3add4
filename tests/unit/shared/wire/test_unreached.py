from __future__ import annotations

from shared.wire.unreached import MAX_UNREACHED_ADDRESSES, UNREACHED_TTL_S, UnreachedAddress, UnreachedAddresses


def test_an_address_is_unreached_from_a_failure_to_a_success():
    unreached = UnreachedAddresses()
    assert unreached.recent(100) == ()
    unreached.record_failure("10.0.0.2", 7, "connection refused", 100)
    unreached.record_failure("10.0.0.1", 7, "it does not answer", 101)
    unreached.record_failure("10.0.0.1", 7, "no route to it", 102)
    assert unreached.recent(103) == (
        UnreachedAddress("10.0.0.1", 7, "no route to it"),
        UnreachedAddress("10.0.0.2", 7, "connection refused"),
    )
    unreached.record_success("10.0.0.1", 7)
    unreached.record_success("10.0.0.3", 7)
    assert [peer.host for peer in unreached.recent(103)] == ["10.0.0.2"]


def test_what_nobody_tries_any_more_is_forgotten():
    unreached = UnreachedAddresses()
    unreached.record_failure("10.0.0.1", 7, "no route to it", 100)
    assert unreached.recent(100 + UNREACHED_TTL_S - 1)
    assert not unreached.recent(100 + UNREACHED_TTL_S)


def test_addresses_without_end_are_not_remembered():
    unreached = UnreachedAddresses()
    for port in range(MAX_UNREACHED_ADDRESSES + 5):
        unreached.record_failure("10.0.0.1", port, "connection refused", 100)
    assert [peer.port for peer in unreached.recent(100)] == list(range(5, MAX_UNREACHED_ADDRESSES + 5))
