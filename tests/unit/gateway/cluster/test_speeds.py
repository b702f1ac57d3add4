from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.cluster.speeds import (
    MAX_SPEED_RESULTS,
    MIN_SHARE_CHANGE,
    MIN_SPEED_RESULTS,
    NodeSpeeds,
    shares_differ,
)


def seen(**macs_per_ms):
    """Speeds of nodes that have computed often enough, so many operations in each millisecond."""
    speeds = NodeSpeeds()
    for node, macs in macs_per_ms.items():
        for _ in range(MIN_SPEED_RESULTS):
            speeds.add_result(node, macs * 10, 10.0, 0.0)
    return speeds


def test_a_speed_is_operations_per_second():
    assert seen(a=7).speed_of("a") == 7000.0


def test_a_node_that_nobody_heard_of_has_no_speed():
    assert NodeSpeeds().speed_of("a") is None


def test_a_few_results_are_no_speed_yet():
    speeds = NodeSpeeds()
    for _ in range(MIN_SPEED_RESULTS - 1):
        speeds.add_result("a", 100, 1.0, 0.0)
    assert speeds.speed_of("a") is None
    speeds.add_result("a", 100, 1.0, 0.0)
    assert speeds.speed_of("a") == 100_000.0


def test_before_its_results_a_node_is_as_fast_as_it_has_tried():
    speeds = NodeSpeeds()
    speeds.add_trial("a", 0.0)
    assert speeds.speed_of("a") is None
    speeds.add_trial("a", 500.0)
    assert speeds.speed_of("a") == 500.0
    for _ in range(2):
        speeds.add_result("a", 100, 1.0, 0.0)
        speeds.add_trial("a", 500.0)  # figures of a node repeat it
    assert speeds.speed_of("a") == 100_000.0


def test_a_single_late_result_after_a_trial_does_not_make_a_slow_node():
    speeds = NodeSpeeds()
    speeds.add_trial("a", 90_000.0)
    speeds.add_result("a", 100, 1.0, 0.0)
    speeds.add_result("a", 100, 8000.0, 1.0)  # it was frozen meanwhile
    assert speeds.speed_of("a") == 90_000.0
    speeds.add_result("a", 100, 8000.0, 2.0)
    speeds.add_result("a", 100, 8000.0, 3.0)
    assert speeds.speed_of("a") == 12.5


def test_a_new_trial_of_an_idle_node_replaces_the_results_before():
    speeds = seen(a=7)
    speeds.add_trial("a", 300.0)
    assert speeds.speed_of("a") == 300.0


def test_one_slow_tile_does_not_make_a_slow_node():
    speeds = seen(a=7)
    speeds.add_result("a", 70, 1e6, 0.0)
    assert speeds.speed_of("a") == 7000.0


def test_a_node_that_became_slower_is_slower_in_time():
    speeds = seen(a=7)
    for _ in range(MAX_SPEED_RESULTS):
        speeds.add_result("a", 10, 10.0, 0.0)
    assert speeds.speed_of("a") == 1000.0


@pytest.mark.parametrize(("macs", "compute_ms"), [(0, 1.0), (10, 0.0), (10, -1.0)])
def test_results_that_say_nothing_of_speed_are_left_out(macs, compute_ms):
    speeds = seen(a=7)
    for _ in range(MAX_SPEED_RESULTS):
        speeds.add_result("a", macs, compute_ms, 0.0)
    assert speeds.speed_of("a") == 7000.0


def test_nodes_of_unknown_speed_have_equal_shares():
    assert NodeSpeeds().work_shares(["a", "b", "c", "d"]) == (0.25,) * 4


def test_shares_are_as_the_speeds():
    assert seen(a=1, b=3).work_shares(["a", "b"]) == (0.25, 0.75)
    assert seen(a=1, b=3).work_shares(["b", "a"]) == (0.75, 0.25)


def test_a_node_of_unknown_speed_is_taken_to_be_like_the_others():
    assert seen(a=1, b=3).work_shares(["a", "new", "b"]) == pytest.approx((1 / 6, 2 / 6, 3 / 6))


def test_the_speed_of_an_absent_node_does_not_count():
    assert seen(a=1, gone=99).work_shares(["a", "new"]) == (0.5, 0.5)


def test_without_nodes_there_are_no_shares():
    assert NodeSpeeds().work_shares([]) == ()


@given(
    st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 10**6)), st.lists(st.sampled_from("abcdef"), min_size=1)
)
def test_shares_are_positive_and_together_one(macs, nodes):
    shares = seen(**macs).work_shares(nodes)
    assert len(shares) == len(nodes)
    assert min(shares) > 0
    assert sum(shares) == pytest.approx(1)


def test_shares_that_changed_little_do_not_differ():
    assert not shares_differ((0.5, 0.5), (0.5, 0.5))
    assert not shares_differ((0.45, 0.55), (0.5, 0.5))


def test_a_share_that_changed_noticeably_makes_a_difference():
    slower = (1 - MIN_SHARE_CHANGE) - 0.01
    assert shares_differ((slower / (1 + slower), 1 / (1 + slower)), (0.5, 0.5))
    assert shares_differ((0.9, 0.02, 0.08), (0.9, 0.05, 0.05))


def test_shares_of_another_number_of_nodes_differ():
    assert shares_differ((1.0,), (0.5, 0.5))


def shares_of_one_that_changes(nodes, factor):
    """Return the shares when the first of equal nodes has changed its speed by a factor."""
    return tuple(speed / (factor + nodes - 1) for speed in (factor, *[1.0] * (nodes - 1)))


@pytest.mark.parametrize("nodes", [2, 3, 6, 16])
def test_a_device_that_loses_two_fifths_by_heat_makes_a_difference_among_any_number(nodes):
    equal = (1 / nodes,) * nodes
    assert shares_differ(shares_of_one_that_changes(nodes, 0.6), equal)
    assert shares_differ(equal, shares_of_one_that_changes(nodes, 0.6))  # and when it has cooled down


@pytest.mark.parametrize("nodes", [2, 3, 6, 16])
@pytest.mark.parametrize(("before", "after"), [(1.0, 0.85), (0.85, 1.0), (1.0, 1.15), (1.15, 0.85), (0.85, 1.15)])
def test_a_device_that_flutters_changes_no_plan(nodes, before, after):
    assert not shares_differ(shares_of_one_that_changes(nodes, after), shares_of_one_that_changes(nodes, before))


def test_one_device_alone_has_all_of_the_work_however_fast_it_is():
    assert not shares_differ((1.0,), (1.0,))


@pytest.mark.parametrize("results_per_s", [0.5, 1.0, 5.0, 50.0])
def test_a_device_that_became_slower_is_followed_within_a_minute(results_per_s):
    speeds, step_s = NodeSpeeds(), 1 / results_per_s
    for number in range(200):
        speeds.add_result("a", 100, 10.0, number * step_s)
    hot_at = 200 * step_s
    for number in range(round(60 * results_per_s)):
        speeds.add_result("a", 100, 10.0 / 0.6, hot_at + number * step_s)
    assert speeds.speed_of("a") == pytest.approx(6_000.0)


@given(st.lists(st.floats(0.85, 1.15), min_size=MIN_SPEED_RESULTS, max_size=100))
def test_a_speed_that_flutters_is_never_beyond_its_flutter(factors):
    speeds = NodeSpeeds()
    for number, factor in enumerate(factors):
        speeds.add_result("a", 100, 10.0 / factor, float(number))
    assert 8_500 * (1 - 1e-9) <= speeds.speed_of("a") <= 11_500 * (1 + 1e-9)


def test_results_of_long_ago_count_while_there_are_few():
    speeds = seen(a=7)
    speeds.add_result("a", 10, 10.0, 1e4)
    assert speeds.speed_of("a") == 7000.0


def test_a_node_that_is_gone_is_forgotten_and_measures_itself_again():
    speeds = NodeSpeeds()
    speeds.add_trial("a", 4e6)
    speeds.add_result("a", 1000, 1.0, 0.0)
    speeds.forget_node("a")
    speeds.forget_node("b")
    assert speeds.speed_of("a") is None
    speeds.add_trial("a", 4e6)
    assert speeds.speed_of("a") == 4e6


def test_a_device_is_as_fast_as_all_its_lanes_and_as_the_others_while_its_speed_is_unknown():
    speeds = seen(a=1, b=3).device_speeds(["a", "b", "c"], {"a": 4, "b": 1, "c": 1}.get)
    assert [speed / speeds[2] for speed in speeds] == pytest.approx([4 / 2, 3 / 2, 1])


def test_a_trial_is_remembered_beside_the_speed_of_now():
    speeds = NodeSpeeds()
    assert speeds.trial_of("a") is None
    speeds.add_trial("a", 1e9)
    for number in range(MIN_SPEED_RESULTS):
        speeds.add_result("a", 1_000_000, 2.0, float(number))
    assert (speeds.trial_of("a"), speeds.speed_of("a")) == (1e9, 5e8)
    speeds.forget_node("a")
    assert speeds.trial_of("a") is None
