"""Queues for tests, and the events of their lives."""

from __future__ import annotations

from edge.tasks.task import Taker, Task
from edge.tasks.task_queue import TaskQueue
from tests.unit.edge.tile_orders import CROSS, FREE, REUSING, WHOLE, plain

PACE_S = 0.01
TILE_S = WHOLE.macs * PACE_S
SAVED_S = (WHOLE.macs - REUSING.macs) * PACE_S
"""What a tile of CROSS takes with its whole halo, and what strips save of it."""


def queue_of(count, frame="f", lease_s=1.0):
    queue = TaskQueue("me", plain(count), lease_s)
    queue.add_frame(frame)
    return queue


def crossed(*, alone=False, lease_s=1000.0):
    """A queue with a frame of nine tiles, some of which can reuse what others have computed."""
    queue = TaskQueue("me", CROSS, lease_s, alone=alone)
    queue.add_frame("f", reuse=True)
    return queue


def tile_of(turn):
    return None if turn is None else turn.task.tile


def drain(queue, now=0.0, *, reuses=False):
    """What the own worker would run, in order."""
    tiles = []
    while (turn := queue.take_task(now, reuses=reuses)) is not None:
        tiles.append(turn.task.tile)
    return tiles


def thief(node="thief", *, idle=True, reuses=True):
    return Taker(node, idle, reuses)


def counts(queue):
    """Tasks that anyone may take, and those that wait for strips."""
    waiting = queue.available_tasks(0.0).waiting
    return waiting, len(queue._waiting) - waiting


def lend_free(queue, *nodes, now=0.0):
    """Lend all tiles that depend on nobody to these nodes in turn, none of whom will have all strips for another."""
    return [
        queue.lend_task(thief(nodes[place % len(nodes)], reuses=False), now).task.tile for place in range(len(FREE))
    ]


def finish(queue, *tiles, worker="me", kept=True, seconds=TILE_S, frame="f", now=0.0):
    """Results of tiles are at the gateway, with all their strips if they are `kept`."""
    for tile in tiles:
        strips = CROSS.readers(tile) if kept else ()
        queue.task_done(Task(frame, tile), worker, seconds, now, WHOLE.macs, strips)


def learn_pace(queue, seconds=TILE_S, worker="me"):
    """The queue has seen a result, of another frame."""
    queue.task_done(Task("earlier", 0), worker, seconds, 0.0, WHOLE.macs)
