from __future__ import annotations

import math
from dataclasses import replace

import pytest

from edge.frames import task_announcer as task_announcer_module
from edge.frames.other_nodes import OtherNodes
from edge.frames.owned_plan import MIN_BENEFIT, OwnedPlan
from edge.frames.task_announcer import PROMISE_REPEAT_S, REANNOUNCE_S, TaskAnnouncer
from edge.tasks.task import Task
from shared.mqtt import topics
from shared.payloads.cluster import TaskAnnouncement
from shared.payloads.frames import Outcome
from tests.unit.edge.works import whole_work

OWN_S = 0.5
WORK = whole_work(epoch=7)
WORK = replace(WORK, macs_per_s=WORK.tile(0).macs / OWN_S)


class Bench:
    """An announcer of one plan with these waiting frames, on a clock of ours."""

    def __init__(self, monkeypatch, *frames):
        self.now, self.said, self.announced, self.computes_here, self.promised = 100.0, [], 0, True, 0
        monkeypatch.setattr(task_announcer_module, "time", self)
        self.others = OtherNodes("me")
        self.plan = OwnedPlan("me", WORK, alone=False)
        self.announcer = TaskAnnouncer(
            "me", self, self.others, lambda: self.computes_here, lambda _: self.promised, self.on_announced
        )
        for frame in frames:
            self.plan.queue.add_frame(frame)

    def monotonic(self):
        return self.now

    def publish_soon(self, topic, message, name):
        assert (topic, name) == (topics.TASKS, "me")
        self.said.append(TaskAnnouncement.model_validate_json(message.model_dump_json()))

    def on_announced(self):
        self.announced += 1


def test_waiting_tasks_are_announced_for_nodes_that_end_them_sooner(monkeypatch):
    bench = Bench(monkeypatch, "f", "g")
    bench.announcer.announce(bench.plan)
    (said,) = bench.said
    assert (said.node, said.epoch, said.waiting) == ("me", 7, 2)
    assert said.within_s == pytest.approx(MIN_BENEFIT * 2 * OWN_S)
    assert (bench.plan.announced_at, bench.announced) == (100.0, 1)


def test_frames_are_given_up_also_without_a_plan(monkeypatch):
    bench = Bench(monkeypatch)
    bench.announcer.announce(None, given_up={"door-0123456789abcdef-1": Outcome.STOPPED})
    assert (bench.said[0].epoch, bench.said[0].waiting) == (0, 0)
    assert bench.said[0].given_up == {"door-0123456789abcdef-1": Outcome.STOPPED}


@pytest.mark.parametrize("why", ["barred", "failed here"])
def test_what_this_node_does_not_compute_is_for_any_node_and_announced_until_it_is_taken(monkeypatch, why):
    bench = Bench(monkeypatch, "f")
    if why == "barred":
        bench.computes_here = False
    else:
        bench.plan.queue.task_failed(Task("f", 0), "me")
    bench.announcer.announce(bench.plan)
    assert bench.said[-1].within_s is None
    for seconds, count in ((0.5 * REANNOUNCE_S, 1), (0.5 * REANNOUNCE_S, 2)):
        bench.now += seconds
        bench.announcer.announce_due(bench.plan, bench.now)
        assert len(bench.said) == count
    bench.plan.queue.drop_frame("f")
    bench.now += REANNOUNCE_S
    bench.announcer.announce_due(bench.plan, bench.now)
    assert len(bench.said) == 2


def test_what_this_node_computes_is_not_announced_again_by_time_alone(monkeypatch):
    bench = Bench(monkeypatch, "f")
    bench.announcer.announce(bench.plan)
    bench.now += 10 * REANNOUNCE_S
    bench.announcer.announce_due(bench.plan, bench.now)
    assert len(bench.said) == 1


def test_tasks_are_announced_once_after_any_were_queued_again(monkeypatch):
    bench = Bench(monkeypatch, "f", "g")
    bench.announcer.announce_requeued(bench.plan, [], "its lease ended")
    assert bench.said == []
    bench.announcer.announce_requeued(bench.plan, [Task("f", 0), Task("g", 0)], "its lease ended")
    assert len(bench.said) == 1


def test_a_helper_must_end_the_last_frame_sooner(monkeypatch):
    bench = Bench(monkeypatch, "f")
    assert not bench.announcer.may_be_helped(bench.plan)
    bench.others.on_helpers({"a": 2 * OWN_S}, {})
    assert not bench.announcer.may_be_helped(bench.plan)
    bench.computes_here = False  # then a slower one is better than none
    assert bench.announcer.may_be_helped(bench.plan)
    bench.computes_here = True
    bench.others.on_helpers({"a": 2 * OWN_S, "b": 0.1 * OWN_S}, {})
    assert bench.announcer.may_be_helped(bench.plan)


def test_a_promised_frame_is_announced_behind_those_that_wait_and_counts_as_later(monkeypatch):
    bench = Bench(monkeypatch, "f")
    bench.promised = 1
    bench.announcer.announce(bench.plan)
    (said,) = bench.said
    assert said.waiting == 2
    assert said.within_s == pytest.approx(MIN_BENEFIT * 2 * OWN_S)


def test_a_frame_is_promised_once_until_it_is_taken_or_nobody_came_for_long(monkeypatch):
    bench = Bench(monkeypatch)
    bench.others.on_helpers({"a": 0.1 * OWN_S}, {})
    assert not bench.announcer.announce_promise(bench.plan), "there is none"
    bench.promised = 1
    assert bench.announcer.announce_promise(bench.plan)
    bench.now += PROMISE_REPEAT_S / 2
    assert not bench.announcer.announce_promise(bench.plan)
    bench.plan.untaken_since = -math.inf  # as after a thief has come
    assert bench.announcer.announce_promise(bench.plan)
    bench.now += PROMISE_REPEAT_S
    assert bench.announcer.announce_promise(bench.plan)
    assert [said.waiting for said in bench.said] == [1, 1, 1]


def test_nothing_is_promised_to_nodes_that_would_not_end_it_sooner(monkeypatch):
    bench = Bench(monkeypatch)
    bench.promised = 1
    bench.others.on_helpers({"a": 2 * OWN_S}, {})
    assert not bench.announcer.announce_promise(bench.plan)
    assert bench.said == []
