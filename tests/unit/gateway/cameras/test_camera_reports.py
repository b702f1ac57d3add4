from __future__ import annotations

import pytest

from gateway.cameras import camera_reports
from gateway.cameras.camera_reports import CameraReports
from shared.payloads.cluster import CameraStats
from shared.payloads.frames import FrameCounts

PLACED = {"door": "attic"}


def stats(camera, node):
    return CameraStats(camera=camera, node=node, counts=FrameCounts())


@pytest.fixture
def present():
    return {"attic", "porch"}


@pytest.fixture
def placed():
    return dict(PLACED)


@pytest.fixture
def reports(placed, present):
    return CameraReports(placed.get, lambda: present)


def test_the_edge_that_was_given_a_camera_reports_it_and_no_other(reports):
    assert not reports.accepts("porch", stats("door", "porch"))
    assert reports.accepts("attic", stats("door", "attic"))
    assert not reports.accepts("porch", stats("door", "porch"))


def test_no_edge_reports_under_the_name_of_another(reports):
    assert not reports.accepts("porch", stats("door", "attic"))
    assert not reports.accepts("attic", stats("door", "porch"))


def test_the_edge_that_had_a_camera_before_may_close_its_account(reports, placed):
    assert reports.accepts("attic", stats("door", "attic"))
    placed["door"] = "porch"
    assert reports.accepts("attic", stats("door", "attic"))
    assert reports.accepts("porch", stats("door", "porch"))
    assert not reports.accepts("attic", stats("door", "attic"))


def test_a_camera_by_hand_is_the_first_ones_for_as_long_as_that_is_there(reports, present):
    assert reports.accepts("porch", stats("garden", "porch"))
    assert not reports.accepts("attic", stats("garden", "attic"))
    present.discard("porch")
    assert reports.accepts("attic", stats("garden", "attic"))


def test_an_edge_that_invents_cameras_stops_somewhere_and_others_go_on(reports, monkeypatch):
    monkeypatch.setattr(camera_reports, "MAX_CAMERAS_OF_EDGE", 2)
    accepted = [reports.accepts("porch", stats(f"invented-{number}", "porch")) for number in range(5)]
    assert accepted == [True, True, False, False, False]
    assert reports.accepts("porch", stats("invented-0", "porch"))
    assert reports.accepts("attic", stats("door", "attic"))


def test_cameras_of_edges_that_are_gone_make_room(reports, present, monkeypatch):
    monkeypatch.setattr(camera_reports, "MAX_REPORTING_CAMERAS", 2)
    assert reports.accepts("porch", stats("a", "porch"))
    assert reports.accepts("porch", stats("b", "porch"))
    assert not reports.accepts("attic", stats("door", "attic"))
    present.discard("porch")
    assert reports.accepts("attic", stats("door", "attic"))
