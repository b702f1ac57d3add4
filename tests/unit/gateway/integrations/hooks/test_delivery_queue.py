from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.integrations.hooks.delivery import Delivery
from gateway.integrations.hooks.queue import MAX_WAITING_DELIVERIES, DeliveryQueue
from tests.hook_events import event


def delivery(name):
    return Delivery.from_event(event(object_id=name))


def queue_of(*deliveries):
    queue = DeliveryQueue()
    for each in deliveries:
        queue.put(each)
    return queue


def test_first_come_first_served():
    one, two = delivery("one"), delivery("two")
    queue = queue_of(one, two)
    assert [queue.take(), queue.take(), queue.take()] == [one, two, None]


def test_an_object_waits_for_itself_while_others_pass():
    first, again, other = delivery("one"), delivery("one"), delivery("two")
    queue = queue_of(first, again, other)
    assert [queue.take(), queue.take(), queue.take()] == [first, other, None]
    queue.finish(first)
    assert queue.take() == again


def test_when_it_is_full_the_oldest_goes():
    deliveries = [delivery(str(number)) for number in range(MAX_WAITING_DELIVERIES)]
    queue = queue_of(*deliveries)
    late = delivery("late")
    assert queue.put(late) == deliveries[0]
    assert len(queue) == MAX_WAITING_DELIVERIES
    assert queue.take() == deliveries[1]


def test_giving_up_empties_it():
    queue = queue_of(delivery("one"), delivery("two"))
    assert queue.clear() == 2
    assert queue.take() is None


@given(st.lists(st.one_of(st.sampled_from("abc"), st.just("take"), st.just("finish")), max_size=60))
def test_each_object_keeps_its_order_and_has_one_in_progress(steps):
    queue, given_in, taken, in_progress = DeliveryQueue(), {}, {}, []
    for step in steps:
        if step == "take":
            got = queue.take()
            if got is None:
                assert len(queue) == 0 or in_progress
                continue
            assert got.object not in [each.object for each in in_progress]
            in_progress.append(got)
            taken.setdefault(got.object, []).append(got)
        elif step == "finish":
            if in_progress:
                queue.finish(in_progress.pop(0))
        else:
            added = delivery(step)
            queue.put(added)
            given_in.setdefault(step, []).append(added)
    for name, deliveries in taken.items():
        assert deliveries == given_in[name][: len(deliveries)]
