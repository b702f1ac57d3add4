from __future__ import annotations

from shared.logs.rate_limit import MAX_LIMITED_KINDS, RateLimit


def test_one_of_each_kind_is_allowed_within_the_time():
    limit = RateLimit(60)
    assert limit.allows("a", 100)
    assert not limit.allows("a", 159.9)
    assert limit.allows("b", 101)
    assert limit.allows("a", 160)
    assert not limit.allows("a", 219)


def test_kinds_without_end_are_not_remembered():
    limit = RateLimit(60)
    assert all(limit.allows(kind, 100) for kind in range(MAX_LIMITED_KINDS + 1))
    assert len(limit._allowed_at) == MAX_LIMITED_KINDS
    assert limit.allows(0, 100)  # the oldest is forgotten
    assert not limit.allows(MAX_LIMITED_KINDS, 100)
