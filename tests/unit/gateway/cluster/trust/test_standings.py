from __future__ import annotations

import pytest

from gateway.cluster.trust.standings import (
    FIRST_BAR_S,
    FORGIVE_AFTER_S,
    MAX_BAR_S,
    MAX_FAILURES,
    MAX_STANDINGS,
    PROBATION_S,
    Standings,
)


@pytest.fixture
def standings():
    return Standings()


def fail(standings, times, node="a", now=0.0):
    return [standings.on_failure(node, "no numbers", now) for _ in range(times)]


def test_a_node_of_which_nothing_is_known_may_work(standings):
    assert not standings.is_barred("a")
    assert (standings.trial("a"), standings.reason("a"), standings.problems(["a"])) == (0, "", ())


def test_a_node_that_fails_again_and_again_is_barred_once(standings):
    assert fail(standings, MAX_FAILURES + 1) == [False] * (MAX_FAILURES - 1) + [True, False]
    assert standings.is_barred("a")
    assert not standings.is_barred("b")
    assert standings.all_barred == {"a"}
    assert standings.failed_tiles("a") == MAX_FAILURES + 1


def test_a_node_that_works_in_between_is_not_barred_but_its_failure_is_a_problem(standings):
    for _ in range(10):
        fail(standings, MAX_FAILURES - 1)
        assert standings.problems(["a"]) == ("edge a did not compute a tile: no numbers; other edges compute it",)
        standings.on_success("a")
        assert standings.problems(["a"]) == ()
    assert not standings.is_barred("a")


def test_a_node_whose_tile_is_proved_wrong_is_barred_at_once(standings):
    assert standings.on_wrong_tile("a", "computed tile 3 of f wrongly", 0.0)
    assert not standings.on_wrong_tile("a", "again", 0.0)
    assert standings.problems(["a"]) == (
        "edge a computed tile 3 of f wrongly; it gets no work until it has passed a test",
    )


def test_a_barred_node_works_again_when_it_has_passed_and_its_time_is_over(standings):
    standings.on_wrong_tile("a", "wrong", 0.0)
    assert standings.lift_bars(FIRST_BAR_S + 1) == ()
    standings.on_test_passed("a", standings.trial("a"))
    assert standings.lift_bars(FIRST_BAR_S - 1) == ()
    assert standings.lift_bars(FIRST_BAR_S) == ("a",)
    assert not standings.is_barred("a")
    assert standings.lift_bars(FIRST_BAR_S) == ()


def test_a_trial_of_before_does_not_count(standings):
    standings.on_wrong_tile("a", "wrong", 0.0)
    standings.on_test_passed("a", 1)
    standings.lift_bars(FIRST_BAR_S)
    standings.on_wrong_tile("a", "wrong again", FIRST_BAR_S)
    standings.on_test_passed("a", 1)
    assert standings.trial("a") == 2
    assert standings.lift_bars(1e6) == ()
    standings.on_test_passed("a", 2)
    assert standings.lift_bars(1e6) == ("a",)


def test_who_passes_without_being_barred_changes_nothing(standings):
    standings.on_test_passed("a", 1)
    assert standings.problems(["a"]) == ()


def test_on_probation_one_failure_is_enough(standings):
    standings.on_wrong_tile("a", "wrong", 0.0)
    assert not standings.on_probation("a", 0.0)
    standings.on_test_passed("a", 1)
    standings.lift_bars(100.0)
    assert standings.on_probation("a", 100.0 + PROBATION_S - 1)
    assert not standings.on_probation("a", 100.0 + PROBATION_S)
    assert fail(standings, 1, now=101.0) == [True]


def test_after_probation_a_node_is_like_others_but_barred_for_longer_next_time(standings):
    now, bars = 0.0, []
    for trial in range(1, 15):
        begun = now
        standings.on_wrong_tile("a", "wrong", now)
        standings.on_test_passed("a", trial)
        while not standings.lift_bars(now):
            now += FIRST_BAR_S / 4
        bars.append(now - begun)
        now += PROBATION_S
        assert fail(standings, 1, now=now) == [False]
    assert bars[:3] == [FIRST_BAR_S, 2 * FIRST_BAR_S, 4 * FIRST_BAR_S]
    assert bars == sorted(bars)
    assert bars[-1] == MAX_BAR_S


def test_a_node_that_does_right_for_a_day_starts_afresh(standings):
    standings.on_wrong_tile("a", "wrong", 0.0)
    standings.on_test_passed("a", 1)
    standings.lift_bars(FIRST_BAR_S)
    standings.lift_bars(FIRST_BAR_S + FORGIVE_AFTER_S + 1)
    assert standings.trial("a") == 0


def test_a_barred_node_is_never_forgiven_for_being_away(standings):
    standings.on_wrong_tile("a", "wrong", 0.0)
    standings.lift_bars(10 * FORGIVE_AFTER_S)
    assert standings.is_barred("a")


def test_names_without_end_are_not_remembered(standings):
    for number in range(2 * MAX_STANDINGS):
        standings.on_failure(f"node-{number}", "no numbers", 0.0)
    assert len(standings.problems(f"node-{number}" for number in range(2 * MAX_STANDINGS))) == MAX_STANDINGS


def test_a_node_that_has_gone_is_no_problem(standings):
    standings.on_wrong_tile("a", "wrong", 0.0)
    assert standings.problems(["b"]) == ()
