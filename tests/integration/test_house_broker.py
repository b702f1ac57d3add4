"""The broker of the house, before there is a connection with it: no broker is needed, but the network is looked at."""

from __future__ import annotations

import time

import pytest

from gateway.broker import house_broker
from gateway.broker.house_broker import DROPPED_FRAMES_PERIOD_S, HouseBroker
from gateway.service import name_to_claim
from shared.mqtt.broker_health import BrokerHealth
from shared.mqtt.broker_login import ANONYMOUS
from shared.mqtt.name_claim import NameOwner
from shared.network.addresses import Address
from shared.payloads.cluster import BridgeState

BOX = Address("10.0.0.5", 1883)


async def nothing():
    pass


@pytest.fixture
async def health():
    return BrokerHealth(f"broker {BOX}")


@pytest.fixture
async def house(health):
    """One that is not connected: nothing of it runs."""
    owner = NameOwner(BOX, name_to_claim("deepthings-gateway", BOX, "deepthings"), "deepthings")
    return HouseBroker(
        BOX, owner, lambda state: BridgeState(state=state, protocol=5), nothing, nothing, login=ANONYMOUS,
        health=health, prefix="deepthings",
    )  # fmt: skip


async def test_frames_that_are_not_taken_are_counted_and_a_problem_for_a_minute(house):
    for _ in range(3):
        house.publish_frame("deepthings/detections/front/frame", b"{}")
    now = time.monotonic()
    assert house.frames_dropped == 3
    (problem,) = house.problems(now)
    assert problem.startswith(f"broker {BOX} has not accepted 3 frames in the last minute")
    assert house.problems(now + DROPPED_FRAMES_PERIOD_S + 1) == []
    assert house.frames_dropped == 3


async def test_why_it_is_away_comes_before_what_it_has_not_taken(house, health):
    house.publish_frame("deepthings/detections/front/frame", b"{}")
    health.note_failure("connection refused")
    assert house.problems(time.monotonic()) == [f"broker {BOX}: connection refused"]


async def test_no_more_frames_are_under_way_than_a_broker_can_be_behind(house, monkeypatch):
    monkeypatch.setattr(house_broker, "MAX_FRAMES_IN_FLIGHT", 2)
    house.bus.connected.set()
    for _ in range(5):
        house.publish_frame("deepthings/detections/front/frame", b"{}")
    assert house.frames_dropped == 3
