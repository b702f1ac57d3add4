from __future__ import annotations

import pytest

from gateway.cluster.trust.standings import (
    FAILURES_CAP,
    FIRST_BAR_S,
    FORGIVEN_S,
    KNOWN_NODES_CAP,
    LONGEST_BAR_S,
    PROBATION_S,
    Standings,
)


@pytest.fixture
def standings():
    return Standings()


def fail(standings, times, node="a", now=0.0):
    return [standings.failed(node, "no numbers", now) for _ in range(times)]


def test_a_node_of_which_nothing_is_known_may_work(standings):
    assert not standings.barred("a")
    assert (standings.trial("a"), standings.reason("a"), standings.problems(["a"])) == (0, "", ())


def test_a_node_that_fails_again_and_again_is_barred_once(standings):
    assert fail(standings, FAILURES_CAP + 1) == [False] * (FAILURES_CAP - 1) + [True, False]
    assert standings.barred("a")
    assert not standings.barred("b")
    assert standings.all_barred == {"a"}
    assert standings.failed_tiles("a") == FAILURES_CAP + 1


def test_a_node_that_works_in_between_is_not_barred_but_its_failure_is_a_problem(standings):
    for _ in range(10):
        fail(standings, FAILURES_CAP - 1)
        assert standings.problems(["a"]) == ("edge a did not compute a tile: no numbers; others do it",)
        standings.worked("a")
        assert standings.problems(["a"]) == ()
    assert not standings.barred("a")


def test_a_node_whose_tile_is_proved_wrong_is_barred_at_once(standings):
    assert standings.wrong("a", "computed tile 3 of f wrongly", 0.0)
    assert not standings.wrong("a", "again", 0.0)
    assert standings.problems(["a"]) == (
        "edge a computed tile 3 of f wrongly; it gets no work until it has passed a test",
    )


def test_a_barred_node_works_again_when_it_has_passed_and_its_time_is_over(standings):
    standings.wrong("a", "wrong", 0.0)
    assert standings.lift(FIRST_BAR_S + 1) == ()
    standings.passed("a", standings.trial("a"))
    assert standings.lift(FIRST_BAR_S - 1) == ()
    assert standings.lift(FIRST_BAR_S) == ("a",)
    assert not standings.barred("a")
    assert standings.lift(FIRST_BAR_S) == ()


def test_a_trial_of_before_does_not_count(standings):
    standings.wrong("a", "wrong", 0.0)
    standings.passed("a", 1)
    standings.lift(FIRST_BAR_S)
    standings.wrong("a", "wrong again", FIRST_BAR_S)
    standings.passed("a", 1)
    assert standings.trial("a") == 2
    assert standings.lift(1e6) == ()
    standings.passed("a", 2)
    assert standings.lift(1e6) == ("a",)


def test_who_passes_without_being_barred_changes_nothing(standings):
    standings.passed("a", 1)
    assert standings.problems(["a"]) == ()


def test_on_probation_one_failure_is_enough(standings):
    standings.wrong("a", "wrong", 0.0)
    assert not standings.on_probation("a", 0.0)
    standings.passed("a", 1)
    standings.lift(100.0)
    assert standings.on_probation("a", 100.0 + PROBATION_S - 1)
    assert not standings.on_probation("a", 100.0 + PROBATION_S)
    assert fail(standings, 1, now=101.0) == [True]


def test_after_probation_a_node_is_like_others_but_barred_for_longer_next_time(standings):
    now, bars = 0.0, []
    for trial in range(1, 15):
        begun = now
        standings.wrong("a", "wrong", now)
        standings.passed("a", trial)
        while not standings.lift(now):
            now += FIRST_BAR_S / 4
        bars.append(now - begun)
        now += PROBATION_S
        assert fail(standings, 1, now=now) == [False]
    assert bars[:3] == [FIRST_BAR_S, 2 * FIRST_BAR_S, 4 * FIRST_BAR_S]
    assert bars == sorted(bars)
    assert bars[-1] == LONGEST_BAR_S


def test_a_node_that_does_right_for_a_day_starts_afresh(standings):
    standings.wrong("a", "wrong", 0.0)
    standings.passed("a", 1)
    standings.lift(FIRST_BAR_S)
    standings.lift(FIRST_BAR_S + FORGIVEN_S + 1)
    assert standings.trial("a") == 0


def test_a_barred_node_is_never_forgiven_for_being_away(standings):
    standings.wrong("a", "wrong", 0.0)
    standings.lift(10 * FORGIVEN_S)
    assert standings.barred("a")


def test_names_without_end_are_not_remembered(standings):
    for number in range(2 * KNOWN_NODES_CAP):
        standings.failed(f"node-{number}", "no numbers", 0.0)
    assert len(standings.problems(f"node-{number}" for number in range(2 * KNOWN_NODES_CAP))) == KNOWN_NODES_CAP


def test_a_node_that_has_gone_is_no_problem(standings):
    standings.wrong("a", "wrong", 0.0)
    assert standings.problems(["b"]) == ()
