from __future__ import annotations

from gateway.cluster.idle_nodes import RECENTLY_IDLE_S, IdleNodes


def test_a_node_that_is_busy_for_a_moment_stays_a_helper():
    idle = IdleNodes()
    assert idle.update(["b", "a"], 10.0) == ("a", "b")
    assert idle.update(["b"], 10.5) == ("a", "b")
    assert idle.update([], 10.0 + RECENTLY_IDLE_S) == ("b",)
    assert idle.update([], 10.5 + RECENTLY_IDLE_S) == ()


def test_a_node_that_is_idle_again_counts_from_then_on():
    idle = IdleNodes()
    idle.update(["a"], 0.0)
    idle.update(["a"], 0.9)
    assert idle.update([], 1.8) == ("a",)


def test_a_node_that_may_not_compute_is_forgotten_at_once():
    idle = IdleNodes()
    idle.update(["a", "b"], 0.0)
    idle.forget_node("a")
    idle.forget_node("nobody")
    assert idle.update([], 0.1) == ("b",)
