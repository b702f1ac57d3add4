from __future__ import annotations

from edge.status.recent_rate import MAX_SAMPLES, NODE_RATE_WINDOW_S, RecentRate


def test_the_rate_is_that_of_the_last_seconds():
    rate = RecentRate()
    assert rate.rate_at(0.0, 100) == 0.0
    assert rate.rate_at(1.0, 103) == 3.0
    assert [rate.rate_at(1.0 + second, 103 + 2 * second) for second in range(1, 40)][-1] == 2.0
    assert [rate.rate_at(40.0 + second, 181) for second in range(1, 15)][-1] == 0.0


def test_only_what_is_needed_is_remembered():
    rate = RecentRate()
    for second in range(1000):
        rate.rate_at(float(second), second)
    assert len(rate._counted) <= NODE_RATE_WINDOW_S + 2


def test_a_flood_of_counts_does_not_grow():
    rate = RecentRate()
    rates = [rate.rate_at(number / 1000, number) for number in range(5000)]
    assert len(rate._counted) == MAX_SAMPLES
    assert rates[-1] == 1000.0


def test_a_count_that_falls_is_no_rate_below_nothing():
    rate = RecentRate()
    rate.rate_at(0.0, 100)
    assert rate.rate_at(1.0, 3) == 0.0
