from __future__ import annotations

import itertools

from shared.network.addresses import Address
from shared.network.gateway_search import (
    FIRST_REST_S,
    LONGEST_REST_S,
    LOOK_AFTER_S,
    MAX_RESTING,
    MAX_TRIES,
    GatewaySearch,
)

KNOWN, MOVED, IMPOSTOR = (Address(f"192.168.1.{number}", 7886) for number in (10, 11, 66))


def search():
    return GatewaySearch(KNOWN)


def test_an_edge_looks_when_its_gateway_has_been_silent_for_a_minute_and_again_each_minute():
    ours = search()
    looks = [second for second in range(200) if ours.is_due(float(second), 1000.0 + second)]
    assert looks == [60, 120, 180]
    assert LOOK_AFTER_S == 60.0


def test_an_answer_in_between_begins_the_minute_anew():
    ours = search()
    assert ours.is_due(60.0, 1060.0)
    assert not ours.is_due(0.0, 1061.0)
    assert not ours.is_due(59.0, 1120.0)
    assert ours.is_due(60.0, 1121.0)


def test_the_address_that_is_tried_anyway_is_not_tried_twice():
    assert search().choose([KNOWN, MOVED, MOVED], 0.0) == [MOVED]


def test_where_somebody_else_answered_is_left_alone_for_longer_and_longer():
    ours, tried = search(), []
    now = 0.0
    while now < 4 * 3600:
        if ours.choose([IMPOSTOR], now):
            tried.append(now)
            ours.note_failure(IMPOSTOR, now)
        now += LOOK_AFTER_S
    pauses = [later - earlier for earlier, later in itertools.pairwise(tried)]
    assert pauses[:5] == [FIRST_REST_S, 2 * FIRST_REST_S, 4 * FIRST_REST_S, 8 * FIRST_REST_S, LONGEST_REST_S]
    assert set(pauses[4:]) == {LONGEST_REST_S}
    assert len(tried) < 14


def test_an_impostor_that_rests_does_not_keep_the_gateway_from_being_tried():
    ours = search()
    ours.note_failure(IMPOSTOR, 0.0)
    assert ours.choose([IMPOSTOR, MOVED], 1.0) == [MOVED]


def test_a_look_costs_few_tries_however_much_is_announced_and_all_get_their_turn():
    ours, crowd = search(), [Address(f"10.0.0.{number}", 7886) for number in range(20)]
    tried, now = set(), 0.0
    for _ in range(5):
        chosen = ours.choose(crowd, now)
        assert len(chosen) == MAX_TRIES
        tried.update(chosen)
        for place in chosen:
            ours.note_failure(place, now)
        now += 1.0
    assert tried == set(crowd)


def test_who_announces_ever_new_addresses_does_not_fill_the_memory():
    ours = search()
    for number in range(10 * MAX_RESTING):
        ours.note_failure(Address("10.0.0.1", number + 1), 0.0)
    assert len(ours._resting) == MAX_RESTING
