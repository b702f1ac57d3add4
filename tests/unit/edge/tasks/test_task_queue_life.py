from __future__ import annotations

import math
from copy import deepcopy

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from edge.tasks.task import ANYONE, Taker, Task
from edge.tasks.task_queue import TaskQueue
from tests.extent import examples
from tests.unit.edge.tile_orders import CROSS, WHOLE

TILES = len(CROSS.order)
NODES = ("me", "a", "b")


class TaskLife(RuleBasedStateMachine):
    """Any order of events, in frames with reuse and without.

    A task of an open frame that is not done is in one place, and only there; no turn needs strips that are not to be
    had; and whoever is idle can always finish every frame.
    """

    def __init__(self):
        super().__init__()
        self.queue = TaskQueue("me", CROSS, 1.0)
        self.now = 0.0
        self.frames = 0
        self.open = {}
        self.reuse = set()
        self.closed = []
        self.makers = {}
        self.kept = set()
        self.whole = set()

    def tasks(self, *places):
        return [
            Task(frame, tile)
            for frame, tiles in sorted(self.open.items())
            for tile, where in sorted(tiles.items())
            if where in places
        ]

    def move(self, task, place):
        self.open[task.frame][task.tile] = place

    def has_strips(self, task, node):
        """Whether a node can get all strips that a task takes, or will have computed them by then."""
        return all(
            (task.frame, giver, task.tile) in self.kept
            or node in {self.makers.get((task.frame, giver)), self.holder(Task(task.frame, giver))}
            for giver in CROSS.givers[task.tile]
        )

    def holder(self, task):
        place = self.open[task.frame][task.tile]
        return "me" if place == "running" else place

    def blocked(self, task, taker):
        """Whether the taker can have it only with its whole halo, if at all."""
        dependent = task.frame in self.reuse and task.tile in CROSS.givers and task not in self.whole
        return dependent and not (taker.reuses and self.has_strips(task, taker.node))

    def check(self, turn, taker, place):
        """A turn that the queue gave, or did not give, to a taker."""
        waiting = self.tasks("waiting")
        free = [task for task in waiting if not self.blocked(task, taker)]
        if turn is None:
            assert not free or self.may_be_refused(taker)
            return
        task = turn.task
        assert task in waiting
        if turn.reusing:
            assert taker.reuses
            assert self.has_strips(task, taker.node)
            assert turn.wanted == ()
        elif self.blocked(task, taker):
            assert taker.idle
            assert not free
            assert self.queue.pace.of_all is not None
            self.whole.add(task)
        self.check_wanted(turn)
        self.move(task, place)

    def may_be_refused(self, taker):
        """Whether others may be free sooner for all that wait: it holds a task, and they are as many as those are."""
        open_to_all = [task for task in self.tasks("waiting") if not self.blocked(task, ANYONE)]
        near = [task for task in self.tasks("waiting") if task not in open_to_all and not self.blocked(task, taker)]
        holds = bool(self.tasks(taker.node)) and self.queue.pace.of_all is not None
        return not taker.idle and holds and not near and 0 < len(open_to_all) <= len(set(NODES) - {taker.node})

    def check_wanted(self, turn):
        readers = CROSS.readers(turn.task.tile) if turn.task.frame in self.reuse else ()
        assert turn.wanted == tuple(reader for reader in readers if Task(turn.task.frame, reader) not in self.whole)

    @precondition(lambda self: len(self.open) < 3)
    @rule(reuse=st.booleans())
    def frame_comes(self, reuse):
        self.frames += 1
        frame = f"frame-{self.frames}"
        self.queue.add_frame(frame, reuse=reuse)
        self.open[frame] = dict.fromkeys(range(TILES), "waiting")
        if reuse:
            self.reuse.add(frame)

    @rule(reuses=st.booleans())
    def worker_takes(self, reuses):
        self.check(self.queue.take_task(self.now, reuses=reuses), Taker("me", reuses=reuses), "running")

    @rule(node=st.sampled_from("ab"), idle=st.booleans(), reuses=st.booleans())
    def thief_takes(self, node, idle, reuses):
        taker = Taker(node, idle, reuses)
        self.check(self.queue.lend_task(taker, self.now), taker, node)

    @precondition(lambda self: self.tasks("running", "done"))
    @rule(data=st.data())
    def worker_sends(self, data):
        """What it ran, even when another's result came first."""
        task = data.draw(st.sampled_from(self.tasks("running", "done")))
        self.queue.on_result_sent(task, self.now)
        if self.open[task.frame][task.tile] == "running":
            self.move(task, "me")

    @precondition(lambda self: self.open)
    @rule(data=st.data(), seconds=st.floats(0, 1), worker=st.sampled_from(NODES), kept=st.booleans())
    def result_arrives(self, data, seconds, worker, kept):
        task = data.draw(st.sampled_from(self.tasks("waiting", "running", *NODES, "done")))
        self.arrive(task, worker, seconds, CROSS.readers(task.tile) if kept else ())

    def arrive(self, task, worker, seconds, strips):
        self.queue.task_done(task, worker, seconds, self.now, WHOLE.macs, strips)
        self.makers[task.frame, task.tile] = worker
        self.kept.update((task.frame, task.tile, reader) for reader in strips)
        self.move(task, "done")

    @precondition(lambda self: self.closed)
    @rule(data=st.data(), tile=st.integers(0, TILES - 1))
    def result_of_a_closed_frame_arrives(self, data, tile):
        self.queue.task_done(
            Task(data.draw(st.sampled_from(self.closed)), tile), "a", 0.1, self.now, WHOLE.macs, [1, 3]
        )

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def strips_are_not_to_be_had(self, data):
        task = data.draw(st.sampled_from(self.tasks("waiting", "running", *NODES, "done")))
        turn = self.queue.run_whole(task)
        assert (turn is None) == (self.open[task.frame][task.tile] in {"waiting", "done"})
        if turn is not None:
            assert (turn.task, turn.reusing) == (task, False)
            self.whole.add(task)
            self.check_wanted(turn)

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def task_is_put_back(self, data):
        place = data.draw(st.sampled_from(["running", "a", "b", "done"]))
        if tasks := self.tasks(place):
            task = data.draw(st.sampled_from(tasks))
            assert self.queue.put_back(task) == (place != "done")
            if place != "done":
                self.move(task, "waiting")

    @rule(seconds=st.floats(0, 6))
    def time_passes(self, seconds):
        self.now += seconds
        self.expire()

    def expire(self):
        for task in self.queue.requeue_expired(self.now):
            assert self.open[task.frame][task.tile] in NODES
            self.move(task, "waiting")
        assert all(lease.until > self.now for lease in self.queue._leases._leases.values())

    @rule(node=st.sampled_from("ab"))
    def node_is_lost(self, node):
        lost = self.queue.requeue_node(node)
        assert sorted(lost, key=lambda task: (task.frame, task.tile)) == self.tasks(node)
        for task in lost:
            self.move(task, "waiting")

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def frame_is_finished(self, data):
        frame = data.draw(st.sampled_from(sorted(self.open)))
        self.queue.drop_frame(frame)
        del self.open[frame]
        self.closed.append(frame)

    @invariant()
    def every_task_is_in_its_place_and_nowhere_else(self):
        waiting, leases = self.queue._waiting, self.queue._leases._leases
        assert sorted(map(repr, waiting)) == sorted(map(repr, self.tasks("waiting")))
        running = {task for task, lease in leases.items() if lease.until == math.inf}
        assert running == set(self.tasks("running"))
        assert all(leases[task].holder == "me" for task in running)
        assert {task: lease.holder for task, lease in leases.items() if task not in running} == {
            task: holder for holder in NODES for task in self.tasks(holder)
        }

    @invariant()
    def what_waits_is_free_or_blocked(self):
        waiting = self.tasks("waiting")
        blocked = [task for task in waiting if self.blocked(task, ANYONE)]
        near = {node: sum(1 for task in blocked if self.has_strips(task, node)) for node in "ab"}
        openings = self.queue.available_tasks(self.now)
        assert openings.waiting == len(waiting) - len(blocked)
        assert openings.near == {node: count for node, count in near.items() if count}
        assert openings.overdue in ({0} if openings.waiting or self.queue.pace.of_all is None else {0, len(blocked)})

    @invariant()
    def an_idle_newcomer_gets_one_exactly_when_some_are_announced_for_it(self):
        openings = self.queue.available_tasks(self.now)
        turn = deepcopy(self.queue).lend_task(Taker("newcomer", reuses=True), self.now)
        assert (turn is not None) == bool(openings.waiting or openings.overdue)

    @invariant()
    def what_is_upcoming_is_what_the_own_worker_takes_next(self):
        task = self.queue.upcoming_task()
        turn = deepcopy(self.queue).take_task(self.now, reuses=True)
        assert task == (turn.task if turn is not None and turn.reusing else None)

    def teardown(self):
        """Whatever has happened: an idle node with any engine finishes all frames, once the others are given up."""
        for reuses in (False, True) * TILES * 3:
            self.now += 1e6
            self.expire()
            for task in self.tasks("running"):
                self.arrive(task, "me", 0.1, ())
            taker = Taker("a", reuses=reuses)
            turn = self.queue.lend_task(taker, self.now)
            self.check(turn, taker, "a")
            if turn is not None:
                self.arrive(turn.task, "a", 0.1, turn.wanted)
        assert not self.tasks("waiting", "running", *NODES)


TaskLife.TestCase.settings = settings(max_examples=examples(80), stateful_step_count=40)
TestTaskLife = TaskLife.TestCase
