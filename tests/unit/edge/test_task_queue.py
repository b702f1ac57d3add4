from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from edge.task_queue import LEASE_FACTOR, RECENT_TILES, Task, TaskQueue


def queue_of(*tiles, frame="f", lease_s=1.0):
    queue = TaskQueue("me", lease_s)
    queue.add_frame(frame, tiles)
    return queue


def drain(queue):
    """What the own worker would run, in order."""
    tasks = []
    while (task := queue.take()) is not None:
        tasks.append(task.tile)
    return tasks


def test_the_own_worker_takes_from_the_front():
    assert drain(queue_of(0, 1, 2)) == [0, 1, 2]


def test_thieves_take_from_the_back():
    queue = queue_of(0, 1, 2)
    assert [queue.lend("thief", 0).tile for _ in range(3)] == [2, 1, 0]


def test_owner_and_thieves_meet_in_the_middle():
    queue = queue_of(0, 1, 2, 3)
    assert (queue.take().tile, queue.lend("a", 0).tile, queue.take().tile, queue.lend("b", 0).tile) == (0, 3, 1, 2)
    assert queue.take() is None
    assert queue.lend("a", 0) is None


def test_an_empty_queue_has_nothing_to_give():
    queue = TaskQueue("me", 1.0)
    assert (queue.take(), queue.lend("thief", 0), queue.waiting, queue.next_expiry()) == (None, None, 0, None)


def test_a_later_frame_waits_behind_an_earlier_one():
    queue = queue_of(0, 1, frame="first")
    queue.add_frame("second", [0, 1])
    assert [queue.take().frame for _ in range(4)] == ["first", "first", "second", "second"]


def test_waiting_counts_what_anyone_may_take():
    queue = queue_of(0, 1, 2)
    queue.take()
    queue.lend("thief", 0)
    assert queue.waiting == 1


def test_a_stolen_task_returns_when_its_lease_ends():
    queue = queue_of(0, 1, lease_s=2.0)
    stolen = queue.lend("thief", now=10.0)
    assert queue.next_expiry() == 12.0
    assert queue.expire(11.9) == []
    assert queue.expire(12.0) == [stolen]
    assert queue.expire(12.0) == []


def test_a_returned_task_is_first_in_line():
    queue = queue_of(0, 1, 2)
    queue.lend("thief", 0)
    queue.expire(5.0)
    assert drain(queue) == [2, 0, 1]


def test_a_stolen_task_returns_when_its_thief_is_lost():
    queue = queue_of(0, 1, 2, 3)
    stolen = {queue.lend("lost", 0), queue.lend("lost", 0)}
    queue.lend("other", 0)
    assert set(queue.node_lost("lost")) == stolen
    assert set(drain(queue)) == {0, 2, 3}
    assert queue.node_lost("lost") == []


def test_a_task_that_runs_here_does_not_return_when_a_node_is_lost():
    queue = queue_of(0)
    queue.take()
    assert queue.node_lost("me") == []
    assert queue.expire(1e9) == []


def test_a_result_on_its_way_to_the_gateway_has_a_lease_too():
    queue = queue_of(0, lease_s=2.0)
    task = queue.take()
    queue.sent(task, now=10.0)
    assert queue.next_expiry() == 12.0
    assert queue.expire(12.0) == [task]


def test_a_result_that_arrived_ends_the_lease():
    queue = queue_of(0)
    task = queue.lend("thief", 0)
    queue.done(task, 0.1)
    assert queue.expire(1e9) == queue.node_lost("thief") == []


def test_a_second_result_is_ignored():
    queue = queue_of(0, 1)
    task = queue.lend("thief", 0)
    queue.done(task, 0.1)
    queue.done(task, 0.1)
    assert drain(queue) == [0]


def test_a_late_result_spares_the_task_from_running_again():
    queue = queue_of(0, 1)
    task = queue.lend("slow", 0)
    queue.expire(10.0)
    queue.done(task, 10.5)
    assert drain(queue) == [0]


def test_a_late_result_ends_the_lease_of_the_second_thief():
    queue = queue_of(0)
    task = queue.lend("slow", 0)
    queue.expire(10.0)
    assert queue.lend("quick", 10.0) == task
    queue.done(task, 0.1)
    assert queue.expire(1e9) == []


def test_a_late_result_of_a_task_that_runs_here_again_spares_it_the_lease():
    queue = queue_of(0)
    queue.lend("slow", 0)
    queue.expire(10.0)
    again = queue.take()
    queue.done(again, 10.5)
    queue.sent(again, 11.0)
    assert queue.expire(1e9) == []


def test_a_result_of_a_finished_frame_is_ignored():
    queue = queue_of(0, 1)
    task = queue.lend("thief", 0)
    queue.drop_frame("f")
    queue.done(task, 0.1)
    assert (queue.waiting, queue.expire(1e9)) == (0, [])


def test_a_dropped_frame_is_forgotten_wherever_its_tasks_are():
    queue = queue_of(0, 1, 2, 3)
    running, lent = queue.take(), queue.lend("thief", 0)
    queue.drop_frame("f")
    queue.sent(running, 0)
    assert queue.waiting == 0
    assert queue.expire(1e9) == queue.node_lost("thief") == []
    assert not queue.put_back(running)
    assert not queue.put_back(lent)
    assert drain(queue) == []


def test_dropping_a_frame_leaves_the_others():
    queue = queue_of(0, 1, frame="first")
    queue.add_frame("second", [0, 1, 2])
    lent = queue.lend("thief", 0)
    queue.drop_frame("first")
    assert drain(queue) == [0, 1]
    assert queue.expire(1e9) == [lent]


def test_a_task_that_could_not_be_handed_over_is_first_in_line_again():
    queue = queue_of(0, 1, 2)
    assert queue.put_back(queue.lend("thief", 0))
    assert drain(queue) == [2, 0, 1]


def test_a_task_that_could_not_be_run_here_waits_again():
    queue = queue_of(0, 1)
    assert queue.put_back(queue.take())
    assert drain(queue) == [0, 1]


def test_putting_back_what_is_done_changes_nothing():
    queue = queue_of(0)
    task = queue.lend("thief", 0)
    queue.done(task, 0.1)
    assert not queue.put_back(task)
    assert queue.waiting == 0


def test_a_lease_is_no_shorter_than_the_plan_says():
    queue = queue_of(0, lease_s=2.0)
    queue.done(Task("f", 7), 0.01)
    assert queue.current_lease_s == 2.0


def test_a_lease_grows_with_the_longest_recent_tile():
    queue = queue_of(0, lease_s=1.0)
    for seconds in (0.3, 2.0, 0.5):
        queue.done(Task("f", 7), seconds)
    assert queue.current_lease_s == 2.0 * LEASE_FACTOR
    queue.lend("thief", now=100.0)
    assert queue.next_expiry() == 100.0 + 2.0 * LEASE_FACTOR


def test_a_lease_shrinks_when_the_longest_tile_is_long_ago():
    queue = queue_of(0, lease_s=1.0)
    queue.done(Task("f", 7), 50.0)
    for _ in range(RECENT_TILES):
        queue.done(Task("f", 7), 0.1)
    assert queue.current_lease_s == 1.0


class TaskLife(RuleBasedStateMachine):
    """Any order of events: a task of an open frame that is not done is in one place, and only there."""

    def __init__(self):
        super().__init__()
        self.queue = TaskQueue("me", 1.0)
        self.now = 0.0
        self.frames = 0
        self.open = {}
        self.closed = []

    def tasks(self, place):
        return [
            Task(frame, tile)
            for frame, tiles in sorted(self.open.items())
            for tile, where in sorted(tiles.items())
            if where == place
        ]

    def move(self, task, place):
        self.open[task.frame][task.tile] = place

    @precondition(lambda self: len(self.open) < 3)
    @rule(count=st.integers(1, 5))
    def frame_comes(self, count):
        self.frames += 1
        frame = f"frame-{self.frames}"
        self.queue.add_frame(frame, range(count))
        self.open[frame] = dict.fromkeys(range(count), "waiting")

    @rule()
    def worker_takes(self):
        task = self.queue.take()
        assert (task is None) == (not self.tasks("waiting"))
        if task is not None:
            assert self.open[task.frame][task.tile] == "waiting"
            self.move(task, "running")

    @rule(thief=st.sampled_from("ab"))
    def thief_takes(self, thief):
        task = self.queue.lend(thief, self.now)
        assert (task is None) == (not self.tasks("waiting"))
        if task is not None:
            assert self.open[task.frame][task.tile] == "waiting"
            self.move(task, thief)

    @precondition(lambda self: self.tasks("running") or self.tasks("done"))
    @rule(data=st.data())
    def worker_sends(self, data):
        """What it ran, even when another's result came first."""
        task = data.draw(st.sampled_from(self.tasks("running") + self.tasks("done")))
        self.queue.sent(task, self.now)
        if self.open[task.frame][task.tile] == "running":
            self.move(task, "me")

    @precondition(lambda self: self.open)
    @rule(data=st.data(), seconds=st.floats(0, 1))
    def result_arrives(self, data, seconds):
        tasks = [task for place in ("waiting", "running", "me", "a", "b", "done") for task in self.tasks(place)]
        if tasks:
            task = data.draw(st.sampled_from(tasks))
            self.queue.done(task, seconds)
            self.move(task, "done")

    @precondition(lambda self: self.closed)
    @rule(data=st.data(), tile=st.integers(0, 4))
    def result_of_a_closed_frame_arrives(self, data, tile):
        self.queue.done(Task(data.draw(st.sampled_from(self.closed)), tile), 0.1)

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
        for task in self.queue.expire(self.now):
            assert self.open[task.frame][task.tile] in {"me", "a", "b"}
            self.move(task, "waiting")
        expiry = self.queue.next_expiry()
        assert expiry is None or expiry > self.now

    @rule(node=st.sampled_from("ab"))
    def node_is_lost(self, node):
        lost = self.queue.node_lost(node)
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
        waiting, running, leases = self.queue._waiting, self.queue._running, self.queue._leases
        assert sorted(map(repr, waiting)) == sorted(map(repr, self.tasks("waiting")))
        assert running == set(self.tasks("running"))
        assert {task: lease.holder for task, lease in leases.items()} == {
            task: holder for holder in ("me", "a", "b") for task in self.tasks(holder)
        }
        assert self.queue.waiting == len(waiting)


TaskLife.TestCase.settings = settings(max_examples=150, stateful_step_count=40)
TestTaskLife = TaskLife.TestCase


def test_a_tile_of_a_frozen_node_does_not_stretch_leases_past_the_frame():
    queue = TaskQueue("me", 1.0, longest_s=5.0)
    queue.add_frame("f", [0, 1])
    queue.done(Task("f", 0), 3600.0)
    queue.lend("thief", 0.0)
    assert queue.expire(4.9) == []
    assert queue.expire(5.0) == [Task("f", 1)]
