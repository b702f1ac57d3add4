"""What the gateway's own broker says about its memory, and whether it is restarted."""

from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace

import pytest

from gateway.broker.broker_listeners import BrokerListener
from gateway.broker.mosquitto import OwnBroker
from shared.network.addresses import LOOPBACK, Address

LIMIT = 268_435_456
"""The memory_limit of the configuration."""

NO_MEMORY = b"Client attic disconnected due to out of memory.\n"


@pytest.fixture
def broker(tmp_path, monkeypatch):
    made = OwnBroker("mosquitto", tmp_path)
    made.configure([BrokerListener(Address(LOOPBACK, 1883), "stop it")], {})
    made.ended = []
    made.process = SimpleNamespace(pid=1, returncode=None, terminate=lambda: made.ended.append("terminated"))
    made.allocated = 0
    monkeypatch.setattr("gateway.broker.mosquitto.allocated_memory", lambda _: made.allocated)
    return made


async def say(broker, line):
    stream = asyncio.StreamReader()
    stream.feed_data(line)
    stream.feed_eof()
    await broker._relay(stream)


@pytest.mark.parametrize("allocated", [LIMIT, 0.6 * LIMIT, None])
async def test_a_broker_that_is_full_or_may_be_is_restarted_once(broker, allocated, caplog):
    broker.allocated = allocated
    await say(broker, 3 * NO_MEMORY)
    assert broker.ended == ["terminated"]
    assert broker.was_full(time.monotonic())
    assert "no memory left; restarting it" in caplog.text
    assert "Client attic disconnected" in caplog.text


async def test_a_broker_with_free_memory_is_not_whatever_it_says(broker, caplog):
    """Before 2.0.22 it says so, too, of a client that is gone before its message is acknowledged."""
    broker.allocated = 0.1 * LIMIT
    await say(broker, NO_MEMORY)
    assert broker.ended == []
    assert not broker.was_full(time.monotonic())
    assert caplog.text == ""


async def test_the_last_words_of_a_broker_that_has_ended_are_no_problem(broker, caplog):
    broker.process.returncode, broker.allocated = 0, None
    await say(broker, NO_MEMORY)
    assert not broker.was_full(time.monotonic())
    assert "no memory left" not in caplog.text


async def test_other_lines_restart_nothing(broker):
    broker.allocated = LIMIT
    await say(broker, b"Client attic disconnected.\n")
    assert broker.ended == []
