"""Queues of shared tiles for tests, and what they give out."""

from __future__ import annotations

from gateway.cluster.share_queue import ShareQueue

LEASE_S = 5.0


def queue_of(tiles, *, capacity=8, together=False):
    return ShareQueue(tiles, LEASE_S, capacity, together=together)


def fill(queue, frame, tiles, nodes, now=0.0):
    """All tiles of a frame arrive; what is shared out."""
    return [share for index in range(tiles) for share in queue.add_tile(frame, index, f"{frame}-{index}", nodes, now)]


def places(shares):
    """Who computes which tile."""
    return {share.tile: share.node for share in shares}
