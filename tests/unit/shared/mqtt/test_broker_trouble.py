from __future__ import annotations

import logging

import pytest

from shared.mqtt.broker_health import PROBLEM_REPEAT_PERIOD_S, BrokerHealth


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def trouble(clock):
    return BrokerHealth("broker box:1883", clock=clock)


def test_a_reason_is_a_problem_until_there_is_a_connection(trouble):
    assert trouble.problems == []
    trouble.failed("connection refused")
    assert trouble.problems == ["broker box:1883: connection refused"]
    trouble.failed("bad user name or password")
    assert trouble.problems == ["broker box:1883: bad user name or password"]
    trouble.connected()
    assert trouble.problems == []


def test_the_same_reason_is_logged_every_five_minutes_at_most(trouble, clock, caplog):
    with caplog.at_level(logging.ERROR):
        for second in range(int(PROBLEM_REPEAT_PERIOD_S) + 10):
            clock.now = 1000.0 + second
            trouble.failed("connection refused")
            trouble.connected()
    assert len(caplog.records) == 2
    assert "broker box:1883: connection refused; trying again until it works" in caplog.text


def test_another_reason_is_logged_at_once(trouble, caplog):
    with caplog.at_level(logging.ERROR):
        trouble.failed("connection refused")
        trouble.failed("bad user name or password")
    assert len(caplog.records) == 2


def test_topics_that_are_not_allowed_are_named_until_they_are_or_the_connection_is_another(trouble):
    trouble.denied("homeassistant/a", "not authorised")
    trouble.denied("homeassistant/b", "not authorised")
    assert trouble.problems == ["broker box:1883 does not take homeassistant/a and 1 more: not authorised"]
    trouble.allowed("homeassistant/a")
    trouble.allowed("deepthings/x")
    assert trouble.problems == ["broker box:1883 does not take homeassistant/b: not authorised"]
    trouble.connected()
    assert trouble.problems == []


def test_of_many_topics_some_are_named_and_one_line_is_logged(trouble, caplog):
    with caplog.at_level(logging.ERROR):
        for number in range(1000):
            trouble.denied(f"homeassistant/{number}", "not authorised")
    assert trouble.problems == ["broker box:1883 does not take homeassistant/0 and many more: not authorised"]
    assert len(caplog.records) == 1
