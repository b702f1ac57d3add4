"""Whether cameras are there, and what is said of those that are not."""

from __future__ import annotations

import asyncio

import pytest

from gateway.cameras import registry as book
from gateway.cameras.applied_settings import EffectiveSettings
from gateway.cameras.presence import CAMERA_SILENCE_TIMEOUT_S
from gateway.configuration.cameras import UNCONFIGURED_CAMERA
from shared.payloads.bridge import BridgeEventType
from shared.payloads.cluster import State
from tests.unit.gateway.cameras.camera_houses import CAMERAS, CameraHouse, let_milliseconds_pass


@pytest.fixture(autouse=True)
def _another_millisecond_each_time(monkeypatch):
    let_milliseconds_pass(monkeypatch)


@pytest.fixture
def house(tmp_path):
    return CameraHouse(tmp_path, **CAMERAS)


async def test_a_camera_is_online_for_everyone_once_its_frames_were_processed(house):
    await house.hear()
    assert house.bus.retained["cameras/door/availability"] == b"offline"
    await house.cameras.mark_settled("door")
    assert house.bus.retained["cameras/door/availability"] == b"online"
    await house.cameras.mark_settled("door")
    assert len(house.bus.payloads("cameras/door/availability")) == 2
    await house.hear(state=State.OFFLINE)
    await house.hear()
    assert house.bus.retained["cameras/door/availability"] == b"offline", "they are not those of today"


async def test_a_camera_in_which_nothing_is_looked_for_is_online_when_it_is_heard_of(house):
    await house.hear("yard")
    assert house.bus.retained["cameras/yard/availability"] == b"online"
    await house.hear("door")
    await house.set("door", "detect", b"OFF")
    assert house.bus.retained["cameras/door/availability"] == b"online"


async def test_when_the_gateway_stops_no_camera_is_there(house):
    await house.hear()
    await house.cameras.mark_settled("door")
    await house.cameras.publish_offline()
    assert house.bus.retained["cameras/door/availability"] == b"offline"


async def test_a_camera_that_is_heard_of_is_told(house):
    await house.hear()
    assert house.told() == [(BridgeEventType.CAMERA_BACK, "door", "")]
    assert house.changed == ["door"]
    assert house.cameras.online == ("door",)
    await house.hear()
    assert len(house.bus.said) == len(house.events) == len(house.changed) == 1


async def test_a_camera_that_is_lost_is_offline_for_everyone_with_a_reason(house):
    await house.hear()
    await house.hear(state=State.OFFLINE, reason="wrong password")
    assert house.bus.retained["cameras/door/availability"] == b"offline"
    assert house.told()[1:] == [(BridgeEventType.CAMERA_LOST, "door", "wrong password")]
    assert house.cameras.unavailable == {"door": "wrong password", "yard": "no edge has reported it yet"}


async def test_a_camera_whose_pictures_nobody_processes_is_a_problem(house, monkeypatch):
    await house.hear()
    assert set(house.cameras.unavailable) == {"yard"}
    later = book.time.monotonic() + 31
    monkeypatch.setattr(book.time, "monotonic", lambda: later)
    assert "none is processed" in house.cameras.unavailable["door"]
    await house.cameras.mark_settled("door")
    assert set(house.cameras.unavailable) == {"yard"}


async def test_a_camera_that_is_switched_off_is_not_missed(house):
    await house.set("yard", "enabled", b"OFF")
    assert set(house.cameras.unavailable) == {"door"}


async def test_the_cameras_of_an_edge_that_goes_are_lost(house):
    await house.cameras.update_nodes(["pi-1", "pi-2"])
    await house.hear("door", "pi-1")
    await house.hear("yard", "pi-2")
    await house.cameras.update_nodes(["pi-2"])
    assert house.told()[2:] == [(BridgeEventType.CAMERA_LOST, "door", "its edge pi-1 is gone")]
    assert house.cameras.online == ("yard",)


async def test_what_is_retained_of_a_camera_does_not_outlive_an_edge_that_went_while_the_gateway_was_away(house):
    await house.hear("door", "pi-1")
    await house.cameras.update_nodes([])
    assert house.cameras.online == ("door",)  # its edge may be heard of next
    await house.cameras.update_nodes([], (), ["pi-1"])
    assert house.told()[1:] == [(BridgeEventType.CAMERA_LOST, "door", "its edge pi-1 is gone")]
    assert house.bus.retained["cameras/door/availability"] == b"offline"


async def test_an_edge_that_is_there_is_not_lost_whatever_was_said_before(house):
    await house.hear("door", "pi-1")
    await house.cameras.update_nodes(["pi-1"], (), ["pi-1"])
    assert house.cameras.online == ("door",)


async def test_a_camera_of_which_nothing_is_heard_any_more_is_lost(house, monkeypatch):
    monkeypatch.setattr(book, "CAMERA_CHECK_PERIOD_S", 0)
    await house.hear()
    await house.cameras.mark_settled("door")
    house.bus.heard = asyncio.Queue()
    received_at = book.time.monotonic()
    monkeypatch.setattr(book.time, "monotonic", lambda: received_at + CAMERA_SILENCE_TIMEOUT_S + 1)
    running = asyncio.create_task(house.cameras.run())
    while True:
        if await house.bus.next("cameras/door/availability") == b"offline":
            break
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert house.told()[1:] == [(BridgeEventType.CAMERA_LOST, "door", "no edge reports it any more")]


async def test_a_camera_that_was_started_by_hand_is_one_like_others(house):
    await house.hear("by-hand")
    await house.cameras.mark_settled("by-hand")
    assert house.bus.retained["cameras/by-hand/availability"] == b"online"
    assert house.cameras.online == ("by-hand",)
    assert house.cameras.section_of("by-hand") is UNCONFIGURED_CAMERA
    assert house.cameras.by_hand == ("by-hand",)
    assert house.cameras.effective_settings("by-hand") == EffectiveSettings(True, True, None, None, None)
    assert "by-hand" not in house.cameras.unavailable
    await house.set("by-hand", "threshold", b"0.7")
    assert house.cameras.effective_settings("by-hand").threshold == 0.7
