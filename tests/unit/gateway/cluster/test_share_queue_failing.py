"""Tiles that a node cannot compute."""

from __future__ import annotations

from tests.unit.gateway.cluster.share_queues import fill, places, queue_of


def test_a_tile_that_a_node_cannot_compute_goes_to_another_at_once():
    queue = queue_of(3)
    nodes = ["a", "b", "c"]
    fill(queue, "f", 3, nodes)
    (share,) = queue.tile_failed("f", 1, "b", nodes, 1.0)
    assert (share.tile, share.attempt) == ("f-1", 1)
    assert share.node in {"a", "c"}


def test_a_tile_never_comes_back_to_a_node_that_failed_it():
    queue = queue_of(1)
    nodes = ["a", "b", "c"]
    (share,) = fill(queue, "f", 1, nodes)
    tried = [share.node]
    while shares := queue.tile_failed("f", 0, tried[-1], nodes, 1.0):
        tried.append(shares[0].node)
    assert sorted(tried) == nodes
    assert queue.reassign_expired(nodes, 1e6) == []
    assert places(queue.reassign_expired([*nodes, "d"], 2e6)) == {"f-0": "d"}


def test_another_frame_may_go_to_who_failed_a_tile():
    queue = queue_of(1)
    fill(queue, "f", 1, ["a"])
    assert queue.tile_failed("f", 0, "a", ["a"], 0.0) == []
    assert places(fill(queue, "g", 1, ["a"])) == {"g-0": "a"}


def test_a_failure_of_who_does_not_have_the_tile_changes_nothing():
    queue = queue_of(1)
    fill(queue, "f", 1, ["a", "b"])
    assert queue.tile_failed("f", 0, "b", ["a", "b"], 0.0) == []
    assert queue.tile_failed("g", 0, "a", ["a", "b"], 0.0) == []
    queue.tile_done("f", 0)
    assert queue.tile_failed("f", 0, "a", ["a", "b"], 0.0) == []


def test_with_several_stages_a_frame_begins_anew_without_who_failed_it():
    queue = queue_of(3, together=True)
    nodes = ["a", "b", "c"]
    fill(queue, "f", 3, nodes)
    queue.tile_done("f", 0)
    shares = queue.tile_failed("f", 1, "b", nodes, 1.0)
    assert [(share.tile, share.attempt) for share in shares] == [("f-0", 1), ("f-1", 1), ("f-2", 1)]
    assert {share.node for share in shares} == {"a", "c"}
    assert queue.tile_failed("f", 2, "b", nodes, 1.0) == []


def test_with_several_stages_a_frame_that_all_have_failed_is_shared_no_more():
    queue = queue_of(2, together=True)
    fill(queue, "f", 2, ["a", "b"])
    assert {share.node for share in queue.tile_failed("f", 0, "a", ["a", "b"], 1.0)} == {"b"}
    assert queue.tile_failed("f", 0, "b", ["a", "b"], 1.0) == []
    assert queue.reassign_expired(["a", "b"], 1e6) == []
