from __future__ import annotations

from gateway.cluster.link_rates import MAX_PAIRS, RATE_MEMORY_S, SUSPICION_S, LinkRates
from shared.wire.link_speed import USUAL_LINK_BYTES_PER_S


def test_a_link_counts_as_usual_before_its_first_transfer():
    links = LinkRates()
    links.add_transfer("a", "b", 0.0, 0.0)  # there was none
    assert links.rate_between("a", "b", 0.0) == links.slowest(0.0, ["b"]) == USUAL_LINK_BYTES_PER_S


def test_the_latest_transfer_of_a_pair_counts():
    links = LinkRates()
    links.add_transfer("a", "b", 5e6, 0.0)
    links.add_transfer("a", "b", 2e5, 1.0)
    assert links.rate_between("a", "b", 1.0) == links.slowest(1.0, ["b"]) == 2e5


def test_one_slow_thief_does_not_make_the_link_of_an_owner_slow_but_a_slow_owner_is_slow_for_all():
    links = LinkRates()
    links.add_transfer("a", "slow", 2e5, 0.0)
    assert links.rate_between("a", "c", 0.0) == 2e5  # so far it may be the link of either
    links.add_transfer("a", "b", 9e6, 0.0)
    assert links.rate_between("a", "c", 0.0) == 9e6
    assert links.rate_between("a", "slow", 0.0) == 2e5
    assert links.rate_between("b", "slow", 0.0) == USUAL_LINK_BYTES_PER_S


def test_the_links_of_an_owner_are_under_suspicion_after_a_slow_transfer_until_another_was_fast():
    links = LinkRates()
    for thief in "bcd":
        links.add_transfer("a", thief, 9e6, 0.0)
    links.add_transfer("a", "b", 2e5, 10.0)
    assert links.rate_between("a", "c", 11.0) == 2e5
    assert links.rate_between("a", "c", 10.0 + SUSPICION_S) == 9e6
    links.add_transfer("a", "d", 8e6, 12.0)
    assert (links.rate_between("a", "c", 13.0), links.rate_between("a", "b", 13.0)) == (8e6, 2e5)
    assert links.rate_between("c", "b", 11.0) == USUAL_LINK_BYTES_PER_S


def test_only_the_links_to_nodes_that_are_asked_for_count():
    links = LinkRates()
    links.add_transfer("a", "drained", 1e5, 0.0)
    links.add_transfer("a", "b", 2e5, 0.0)
    assert (links.slowest(0.0, ["b"]), links.slowest(0.0, ["b", "drained"])) == (2e5, 1e5)


def test_a_slow_link_is_tried_again_some_day():
    links = LinkRates()
    links.add_transfer("a", "b", 2e5, 0.0)
    assert links.rate_between("a", "b", RATE_MEMORY_S - 1) == 2e5
    assert links.rate_between("a", "b", RATE_MEMORY_S) == links.slowest(RATE_MEMORY_S, ["b"]) == USUAL_LINK_BYTES_PER_S


def test_the_links_of_a_node_that_has_left_are_forgotten_at_both_ends():
    links = LinkRates()
    for owner, thief in (("a", "left"), ("left", "b"), ("a", "b")):
        links.add_transfer(owner, thief, 2e5 if "left" in (owner, thief) else 3e5, 0.0)
    links.forget_node("left")
    links.forget_node("unknown")
    assert links.slowest(1.0, ["b", "left"]) == links.rate_between("a", "left", 1.0) == 3e5
    assert links.rate_between("left", "b", 1.0) == USUAL_LINK_BYTES_PER_S


def test_names_without_end_do_not_fill_the_memory():
    links = LinkRates()
    for number in range(MAX_PAIRS + 1):
        links.add_transfer("a", f"b{number}", 2e5 + number, 0.0)
    assert links.rate_between("a", "b1", 0.0) == 2e5 + 1
    assert links.rate_between("a", "b0", 0.0) == 2e5 + MAX_PAIRS  # forgotten: the fastest of the others


def test_the_rates_of_now_are_those_of_the_last_ten_minutes():
    links = LinkRates()
    links.add_transfer("b", "a", 5e6, 10.0)
    links.add_transfer("a", "b", 7e6, 20.0)
    links.add_transfer("a", "b", 8e6, 30.0)
    assert links.current(40.0) == [("a", "b", 8e6), ("b", "a", 5e6)]
    assert links.current(10.0 + RATE_MEMORY_S) == [("a", "b", 8e6)]
