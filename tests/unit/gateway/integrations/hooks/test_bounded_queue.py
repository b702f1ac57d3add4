from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.integrations.hooks.bounded_queue import MAX_WAITING_DELIVERIES, DeliveryQueue
from gateway.integrations.hooks.delivery import Delivery
from tests.hook_events import event


def delivery(name):
    return Delivery.from_event(event(object_id=name))


def line_of(*deliveries):
    line = DeliveryQueue()
    for each in deliveries:
        line.add(each)
    return line


def test_first_come_first_served():
    one, two = delivery("one"), delivery("two")
    line = line_of(one, two)
    assert [line.take(), line.take(), line.take()] == [one, two, None]


def test_an_object_waits_for_itself_while_others_pass():
    first, again, other = delivery("one"), delivery("one"), delivery("two")
    line = line_of(first, again, other)
    assert [line.take(), line.take(), line.take()] == [first, other, None]
    line.finish(first)
    assert line.take() == again


def test_when_it_is_full_the_oldest_goes():
    deliveries = [delivery(str(number)) for number in range(MAX_WAITING_DELIVERIES)]
    line = line_of(*deliveries)
    late = delivery("late")
    assert line.add(late) == deliveries[0]
    assert len(line) == MAX_WAITING_DELIVERIES
    assert line.take() == deliveries[1]


def test_giving_up_empties_it():
    line = line_of(delivery("one"), delivery("two"))
    assert line.clear() == 2
    assert line.take() is None


@given(st.lists(st.one_of(st.sampled_from("abc"), st.just("take"), st.just("finish")), max_size=60))
def test_each_object_keeps_its_order_and_has_one_under_way(steps):
    line, given_in, taken, under_way = DeliveryQueue(), {}, {}, []
    for step in steps:
        if step == "take":
            got = line.take()
            if got is None:
                assert len(line) == 0 or under_way
                continue
            assert got.object not in [each.object for each in under_way]
            under_way.append(got)
            taken.setdefault(got.object, []).append(got)
        elif step == "finish":
            if under_way:
                line.finish(under_way.pop(0))
        else:
            added = delivery(step)
            line.add(added)
            given_in.setdefault(step, []).append(added)
    for name, deliveries in taken.items():
        assert deliveries == given_in[name][: len(deliveries)]
