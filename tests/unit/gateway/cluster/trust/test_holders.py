from types import SimpleNamespace

import pytest

from gateway.cluster.trust.holders import GRANT_KEPT_S, MAX_KEPT_GRANTS, TileHolders
from shared.payloads.frames import FrameInfo
from shared.wire.headers import ResultHeader
from tests.unit.clocks import Clock


@pytest.fixture
def clock():
    return Clock(10.0)


@pytest.fixture
def holders(clock):
    """The camera door is assigned to pi-1, and no other camera to anybody."""
    return TileHolders(lambda camera, node: camera != "door" or node == "pi-1", clock)


def info(camera="front", frame=None):
    return FrameInfo(frame=frame or f"{camera}-1", camera=camera, number=1, captured_at=0.0, height=8, width=8)


def may_send(holders, worker, owner, opened_by=None, frame=None):
    result = ResultHeader(info=frame or info(), epoch=1, owner=owner, worker=worker, tile=0, shapes=(), compute_ms=1.0)
    return holders.may_send(result, SimpleNamespace(owner_of=lambda _: opened_by))


def test_a_node_sends_results_for_its_own_frames_and_for_those_that_it_was_given(holders, clock):
    holders.grant("pi-2", "pi-1")
    assert may_send(holders, "pi-1", "pi-1")
    assert not may_send(holders, "pi-1", "pi-2"), "a grant is for one direction"
    assert not may_send(holders, "pi-3", "pi-1")
    clock.now += GRANT_KEPT_S - 1
    assert may_send(holders, "pi-2", "pi-1")
    clock.now += 1
    assert not may_send(holders, "pi-2", "pi-1")


def test_a_node_that_calls_the_frame_of_another_its_own_is_refused(holders):
    holders.grant("pi-2", "pi-1")
    assert may_send(holders, "pi-2", "pi-1", opened_by="pi-1")
    assert may_send(holders, "pi-1", "pi-1", opened_by="pi-1")
    assert not may_send(holders, "pi-2", "pi-2", opened_by="pi-1")


def test_a_frame_of_a_camera_that_is_assigned_to_another_edge_is_not_opened(holders):
    assert holders.may_open(info("door"), "pi-1")
    assert not holders.may_open(info("door"), "pi-2")
    assert holders.may_open(info("front"), "pi-2"), "a camera that somebody started by hand"
    assert not may_send(holders, "pi-2", "pi-2", frame=info("door"))
    assert may_send(holders, "pi-1", "pi-1", frame=info("door"))


def test_a_frame_that_is_named_after_another_camera_is_not_opened(holders):
    assert not holders.may_open(info("front", "door-1"), "pi-2")


def test_results_that_nobody_asked_for_are_logged_once_a_minute(holders, caplog):
    for _ in range(5):
        may_send(holders, "pi-2", "pi-1")
    assert caplog.text.count("edge pi-2 sent a result for front-1, of which it was given no tile") == 1


def test_the_oldest_of_too_many_grants_is_forgotten(holders):
    for number in range(MAX_KEPT_GRANTS + 1):
        holders.grant(f"pi-{number}", "owner")
    assert not may_send(holders, "pi-0", "owner")
    assert may_send(holders, "pi-1", "owner")
