from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.broker import outbox
from gateway.broker.outbox import Outbox, OutboxMessage


def kept(topic, payload):
    return OutboxMessage(topic, payload, retain=True)


def told(topic, payload):
    return OutboxMessage(topic, payload, retain=False)


def all_of(waiting):
    taken = []
    while (message := waiting.take()) is not None:
        taken.append(message)
    return taken


def test_of_a_retained_topic_the_newest_message_waits_and_its_turn_is_that_of_the_first():
    waiting = Outbox()
    for message in (kept("a", b"1"), kept("b", b"1"), kept("a", b"2")):
        waiting.put(message)
    assert all_of(waiting) == [kept("a", b"2"), kept("b", b"1")]


def test_what_is_not_retained_keeps_its_order_and_goes_first():
    waiting = Outbox()
    for message in (kept("a", b"1"), told("x", b"1"), told("x", b"2")):
        waiting.put(message)
    assert all_of(waiting) == [told("x", b"1"), told("x", b"2"), kept("a", b"1")]


def test_a_message_that_was_not_taken_is_the_next_again_unless_there_is_a_newer_one():
    waiting = Outbox()
    waiting.put(kept("a", b"1"))
    waiting.put(kept("b", b"1"))
    first = waiting.take()
    waiting.put_back(first)
    assert all_of(waiting) == [kept("a", b"1"), kept("b", b"1")]
    waiting.put(kept("a", b"2"))
    waiting.put_back(first)
    assert all_of(waiting) == [kept("a", b"2")]
    waiting.put(told("x", b"2"))
    waiting.put_back(told("x", b"1"))
    assert all_of(waiting) == [told("x", b"1"), told("x", b"2")]


def test_the_oldest_messages_go_when_too_many_wait(monkeypatch):
    monkeypatch.setattr(outbox, "MAX_UNRETAINED_MESSAGES", 2)
    waiting = Outbox()
    for number in range(4):
        waiting.put(told("x", b"%d" % number))
    assert all_of(waiting) == [told("x", b"2"), told("x", b"3")]


def test_the_topics_that_wait_longest_go_when_there_are_too_many(monkeypatch):
    monkeypatch.setattr(outbox, "MAX_RETAINED_MESSAGES", 2)
    waiting = Outbox()
    for topic in "abca":
        waiting.put(kept(topic, b"1"))
    assert all_of(waiting) == [kept("c", b"1"), kept("a", b"1")]


@pytest.mark.parametrize("retain", [True, False])
def test_an_empty_one_gives_nothing(retain):
    waiting = Outbox()
    assert waiting.take() is None
    waiting.put(OutboxMessage("a", b"", retain))
    assert waiting.take() == OutboxMessage("a", b"", retain)
    assert waiting.take() is None


@given(st.lists(st.tuples(st.sampled_from("abc"), st.binary(max_size=2), st.booleans()), max_size=30))
def test_the_last_message_of_each_retained_topic_arrives_whatever_came_before(messages):
    """Also when every second attempt fails."""
    waiting, retained, failed = Outbox(), {}, False
    for message in messages:
        waiting.put(OutboxMessage(*message))
    while (message := waiting.take()) is not None:
        failed = not failed
        if failed:
            waiting.put_back(message)
        elif message.retain:
            retained[message.topic] = message.payload
    assert retained == {topic: payload for topic, payload, retain in messages if retain}
