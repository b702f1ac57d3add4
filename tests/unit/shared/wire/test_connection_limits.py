import pytest

from shared.security.member_list import Member, Role
from shared.wire.connection_limits import (
    MAX_CONNECTIONS,
    MAX_PER_MEMBER,
    MAX_PLAIN_PER_HOST,
    MAX_REFUSALS,
    MAX_REFUSED_HOSTS,
    MAX_UNKNOWN,
    MAX_UNKNOWN_PER_HOST,
    REFUSALS_WITHIN_S,
    ConnectionLimits,
)

PORCH = Member(role=Role.EDGE, name="porch", key_hash="1" * 64)
HALL = Member(role=Role.EDGE, name="hall", key_hash="2" * 64)


@pytest.fixture
def limits():
    return ConnectionLimits()


def test_one_address_has_so_many_unknown_connections_and_others_have_theirs(limits):
    assert [limits.refuse_unknown("10.0.0.9", 0.0) for _ in range(MAX_UNKNOWN_PER_HOST)] == [""] * MAX_UNKNOWN_PER_HOST
    assert "of this address" in limits.refuse_unknown("10.0.0.9", 0.0)
    assert limits.refuse_unknown("10.0.0.8", 0.0) == ""
    limits.release_unknown("10.0.0.9")
    assert limits.refuse_unknown("10.0.0.9", 0.0) == ""


def test_strangers_with_many_addresses_leave_room_for_members(limits):
    hosts = [f"10.0.1.{number}" for number in range(MAX_UNKNOWN)]
    assert not any(limits.refuse_unknown(host, 0.0) for host in hosts)
    assert "have not shown who they are" in limits.refuse_unknown("10.0.2.1", 0.0)
    assert limits.refuse_member(PORCH, "10.0.0.5") == ""


def test_processes_of_this_machine_are_limited_together_only(limits):
    assert not any(limits.refuse_unknown("127.0.0.1", 0.0) for _ in range(MAX_UNKNOWN))
    assert not any(limits.refuse_plain("127.0.0.1") for _ in range(2 * MAX_PLAIN_PER_HOST))


def test_a_member_has_so_many_connections_and_another_its_own(limits):
    assert not any(limits.refuse_member(PORCH, "10.0.0.5") for _ in range(MAX_PER_MEMBER))
    assert f"{MAX_PER_MEMBER} connections of edge 'porch'" in limits.refuse_member(PORCH, "10.0.0.5")
    assert limits.refuse_member(HALL, "10.0.0.6") == ""
    limits.release_member(PORCH)
    assert limits.refuse_member(PORCH, "10.0.0.5") == ""


def test_a_copied_card_is_refused_with_the_address_of_the_first(limits):
    assert limits.refuse_member(PORCH, "10.0.0.5") == ""
    refused = limits.refuse_member(PORCH, "10.0.0.7")
    assert "edge 'porch' is connected from 10.0.0.5 already" in refused
    assert "is a copy" in refused
    limits.release_member(PORCH)
    assert limits.refuse_member(PORCH, "10.0.0.7") == "", "it may have moved"


def test_a_host_without_keys_has_so_many_connections(limits):
    assert not any(limits.refuse_plain("10.0.0.5") for _ in range(MAX_PLAIN_PER_HOST))
    assert f"{MAX_PLAIN_PER_HOST} connections of this address" in limits.refuse_plain("10.0.0.5")
    limits.release_plain("10.0.0.5")
    assert limits.refuse_plain("10.0.0.5") == ""


def test_all_connections_together_are_limited(limits):
    for number in range(MAX_CONNECTIONS):
        host = f"10.0.{number // 200}.{number % 200}"
        assert limits.refuse_unknown(host, 0.0) == ""
        limits.release_unknown(host)
        assert limits.refuse_plain(host) == ""
    assert f"{MAX_CONNECTIONS} are open already" in limits.refuse_unknown("10.9.0.1", 0.0)


def test_who_was_refused_too_often_is_not_looked_at_for_a_while(limits):
    for number in range(MAX_REFUSALS):
        assert limits.refuse_unknown("10.0.0.9", float(number)) == ""
        limits.release_unknown("10.0.0.9")
        limits.note_refused("10.0.0.9", float(number))
    assert "of this address were refused within a minute" in limits.refuse_unknown("10.0.0.9", REFUSALS_WITHIN_S - 1)
    assert limits.refuse_unknown("10.0.0.8", REFUSALS_WITHIN_S - 1) == "", "another one is"
    assert limits.refuse_unknown("10.0.0.9", REFUSALS_WITHIN_S) == ""


def test_processes_of_this_machine_are_looked_at_however_often_one_was_refused(limits):
    for _ in range(2 * MAX_REFUSALS):
        limits.note_refused("127.0.0.1", 0.0)
    assert limits.refuse_unknown("127.0.0.1", 0.0) == ""


def test_a_stranger_with_many_addresses_does_not_fill_the_memory(limits):
    for number in range(2 * MAX_REFUSED_HOSTS):
        limits.note_refused(f"10.0.{number // 200}.{number % 200}", 0.0)
    assert len(limits._refused_at) == MAX_REFUSED_HOSTS
