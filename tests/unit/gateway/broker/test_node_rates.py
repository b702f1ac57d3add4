from __future__ import annotations

import pytest

from gateway.broker import node_rates
from gateway.broker.node_rates import RATE_PERIOD_S, SUSPENSION_S, CommandRate, NodeRates

TASKS = "deepthings/cluster/tasks/{}"


@pytest.fixture(autouse=True)
def few(monkeypatch):
    monkeypatch.setattr(node_rates, "MAX_NODE_MESSAGES_PER_S", 5)
    monkeypatch.setattr(node_rates, "MAX_COMMANDS_PER_S", 5)


def flood(rates, topic, now, count=11):
    return [found for _ in range(count) if (found := rates.on_message(topic, now)) is not None]


def test_an_edge_that_floods_is_found_once_and_others_are_not():
    rates = NodeRates()
    assert flood(rates, TASKS.format("porch"), 100.0, 10) == []
    assert flood(rates, TASKS.format("attic"), 100.0, 40) == ["attic"]
    assert rates.suspended(100.0) == ("attic",)


def test_all_topics_of_an_edge_count_together():
    rates = NodeRates()
    assert flood(rates, TASKS.format("attic"), 100.0, 6) == []
    assert flood(rates, "deepthings/cluster/steal/attic", 100.0, 6) == ["attic"]


def test_a_rate_is_a_mean_over_some_time():
    rates = NodeRates()
    for second in range(10):
        assert flood(rates, TASKS.format("attic"), 100.0 + second * RATE_PERIOD_S, 10) == []


def test_who_was_kept_out_may_try_again_and_is_found_again():
    rates = NodeRates()
    flood(rates, TASKS.format("attic"), 100.0)
    assert rates.suspended(100.0 + SUSPENSION_S) == ()
    assert flood(rates, TASKS.format("attic"), 200.0) == ["attic"]


def test_other_topics_do_not_count():
    rates = NodeRates()
    for topic in ("deepthings/bridge/request/info", "deepthings/cluster/plan", "barn/cluster/tasks/attic"):
        assert flood(rates, topic, 100.0, 100) == []
    assert flood(NodeRates("barn"), "barn/cluster/tasks/attic", 100.0) == ["attic"]


def test_commands_of_all_programs_count_together_and_nothing_else():
    rate = CommandRate()
    for topic in ("deepthings/cluster/tasks/attic", "deepthings/cameras/door/stats", "homeassistant/status"):
        assert not any(rate.on_message(topic, 100.0) for _ in range(50))
    commands = ("deepthings/bridge/request/info", "deepthings/cameras/door/detect/set", "frigate/door/detect/set")
    assert not any(rate.on_message(commands[count % 3], 100.0) for count in range(10))
    assert rate.on_message(commands[0], 100.0)
    assert not rate.on_message(commands[0], 100.0 + RATE_PERIOD_S)
