from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shared.ftp.grid import Grid
from tests.unit.edge.works import plans_of, renumbered, reusing_work

_, WORK = reusing_work(Grid(2, 2))
DEADLINE_S = WORK.plan.deadline_s


def numbered(*epochs):
    return [renumbered(WORK, epoch) for epoch in epochs]


def test_without_a_plan_there_is_none_to_prefer():
    plans = plans_of()
    assert plans.preferred is None
    assert plans.epochs == ()
    assert plans.get(7) is None
    assert plans.remove_expired(1e9) == ()


def test_new_frames_follow_the_preferred_plan_once_it_is_prepared():
    first, second = numbered(7, 8)
    plans = plans_of(first)
    plans.prefer(8)
    assert plans.preferred is first
    plans.add(second)
    assert plans.preferred is second
    plans.prefer(7)
    assert plans.preferred is first
    assert plans.epochs == (7, 8)


def test_without_the_preferred_plan_new_frames_follow_the_oldest_that_is_offered():
    plans = plans_of(*numbered(9, 8, 7))
    plans.prefer(1)
    plans.withdraw_others({8, 9}, 0.0)
    assert plans.preferred.epoch == 8


def test_until_the_next_plan_is_prepared_new_frames_follow_the_newest_that_is_withdrawn():
    plans = plans_of(*numbered(7, 8))
    plans.withdraw_others({9}, 0.0)
    assert (plans.epochs, plans.preferred.epoch) == ((), 8)
    plans.add(*numbered(9))
    assert (plans.epochs, plans.preferred.epoch) == ((9,), 9)


def test_the_engines_of_a_plan_are_renewed_in_place():
    (renewed,) = numbered(WORK.epoch)
    plans = plans_of(WORK)
    plans.add(renewed)
    assert plans.get(WORK.epoch) is renewed
    assert plans.epochs == (WORK.epoch,)


def test_a_withdrawn_plan_stays_until_the_deadline_of_its_last_frame():
    """That frame came when the withdrawal was on its way, and ends by the gateway's deadline."""
    plans = plans_of(*numbered(7, 8))
    plans.withdraw_others({8}, 100.0)
    assert plans.get(7).epoch == 7
    assert plans.remove_expired(100.0 + 2 * DEADLINE_S) == ()
    assert plans.remove_expired(100.1 + 2 * DEADLINE_S) == (7,)
    assert plans.get(7) is None
    assert plans.remove_expired(1e9) == ()


def test_being_withdrawn_again_does_not_prolong_a_plan():
    plans = plans_of(*numbered(7, 8))
    plans.withdraw_others({8}, 0.0)
    plans.withdraw_others({8}, 15.0)
    assert plans.remove_expired(0.1 + 2 * DEADLINE_S) == (7,)


def test_a_plan_that_is_offered_again_is_not_removed():
    first, second = numbered(7, 8)
    plans = plans_of(first, second)
    plans.withdraw_others({8}, 0.0)
    plans.add(first)
    assert plans.epochs == (7, 8)
    assert plans.remove_expired(1e9) == ()


def test_the_last_plan_is_kept_though_it_is_withdrawn():
    plans = plans_of(*numbered(7))
    plans.withdraw_others({9}, 0.0)
    assert plans.remove_expired(1e9) == ()
    assert plans.preferred.epoch == 7


epochs = st.integers(1, 6)
changes = st.lists(
    st.tuples(st.just("add"), epochs)
    | st.tuples(st.just("prefer"), epochs)
    | st.tuples(st.just("offer"), st.sets(epochs, max_size=3))
    | st.tuples(st.just("wait"), st.floats(0, 3 * DEADLINE_S)),
    max_size=30,
)


@given(changes)
def test_there_is_always_a_plan_for_new_frames_and_none_is_removed_early(made):
    plans, now, removed_early = plans_of(WORK), 0.0, []
    withdrawn_at = {}
    for change, value in made:
        if change == "add":
            plans.add(renumbered(WORK, value))
            withdrawn_at.pop(value, None)
        elif change == "prefer":
            plans.prefer(value)
        elif change == "offer":
            before = plans.epochs
            plans.withdraw_others(value, now)
            withdrawn_at.update(dict.fromkeys(set(before) - value, now))
        else:
            now += value
            removed_early += [
                epoch for epoch in plans.remove_expired(now) if now <= withdrawn_at[epoch] + 2 * DEADLINE_S
            ]
        assert plans.preferred is plans.get(plans.preferred.epoch)
    assert removed_early == []
