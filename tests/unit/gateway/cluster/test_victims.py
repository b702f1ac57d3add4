from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.cluster.victims import VICTIM_POLICIES, Candidate, fewest_frames, longest_queue, round_robin


def candidates(*tasks):
    """Owners a, b, c ... with so many tasks, the one that was granted from longest ago first."""
    return [Candidate(owner, count) for owner, count in zip("abcdefgh", tasks, strict=False)]


def test_round_robin_chooses_the_one_that_was_granted_from_longest_ago():
    assert round_robin(candidates(1, 9, 5)).owner == "a"


def test_the_fewest_frames_are_chosen_and_among_equals_the_one_that_was_granted_from_longest_ago():
    frames = {"a": 3.5, "b": 2.0, "c": 2.0, "d": 9.0}
    assert fewest_frames([Candidate(owner, 1, frames=count) for owner, count in frames.items()]).owner == "b"


def test_the_longest_queue_has_the_most_tasks():
    assert longest_queue(candidates(1, 9, 5)).owner == "b"


def test_of_equally_long_queues_the_one_that_was_granted_from_longest_ago_is_chosen():
    assert longest_queue(candidates(1, 5, 5, 5)).owner == "b"


def test_policies_are_known_by_name():
    known = {"fewest-frames": fewest_frames, "round-robin": round_robin, "longest-queue": longest_queue}
    assert known == VICTIM_POLICIES


@pytest.mark.parametrize("policy", VICTIM_POLICIES.values(), ids=VICTIM_POLICIES)
@given(tasks=st.lists(st.integers(1, 9), min_size=1, max_size=8))
def test_every_policy_chooses_one_of_the_candidates(policy, tasks):
    offered = candidates(*tasks)
    assert policy(offered) in offered
