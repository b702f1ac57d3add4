from __future__ import annotations

import logging

import pytest

from shared.mqtt.broker_health import PROBLEM_REPEAT_PERIOD_S, BrokerHealth
from tests.unit.clocks import Clock


@pytest.fixture
def clock():
    return Clock(1000.0)


@pytest.fixture
def health(clock):
    return BrokerHealth("broker box:1883", clock=clock)


def test_a_reason_is_a_problem_until_there_is_a_connection(health):
    assert health.problems == []
    health.note_failure("connection refused")
    assert health.problems == ["broker box:1883: connection refused"]
    health.note_failure("bad user name or password")
    assert health.problems == ["broker box:1883: bad user name or password"]
    health.note_connected()
    assert health.problems == []


def test_the_same_reason_is_logged_every_five_minutes_at_most(health, clock, caplog):
    with caplog.at_level(logging.ERROR):
        for second in range(int(PROBLEM_REPEAT_PERIOD_S) + 10):
            clock.now = 1000.0 + second
            health.note_failure("connection refused")
            health.note_connected()
    assert len(caplog.records) == 2
    assert "broker box:1883: connection refused; trying again until it works" in caplog.text


def test_another_reason_is_logged_at_once(health, caplog):
    with caplog.at_level(logging.ERROR):
        health.note_failure("connection refused")
        health.note_failure("bad user name or password")
    assert len(caplog.records) == 2


def test_topics_that_are_not_allowed_are_named_until_they_are_or_the_connection_is_another(health):
    health.note_denied("homeassistant/a", "not authorised")
    health.note_denied("homeassistant/b", "not authorised")
    assert health.problems == ["broker box:1883 refuses homeassistant/a and 1 more: not authorised"]
    health.note_accepted("homeassistant/a")
    health.note_accepted("deepthings/x")
    assert health.problems == ["broker box:1883 refuses homeassistant/b: not authorised"]
    health.note_connected()
    assert health.problems == []


def test_of_many_topics_some_are_named_and_one_line_is_logged(health, caplog):
    with caplog.at_level(logging.ERROR):
        for number in range(1000):
            health.note_denied(f"homeassistant/{number}", "not authorised")
    assert health.problems == ["broker box:1883 refuses homeassistant/0 and many more: not authorised"]
    assert len(caplog.records) == 1
