from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from edge.options import EdgeConfig
from shared.files.program_folder import default_cache
from shared.network.addresses import Address
from shared.network.hosts import is_loopback


def test_programs_are_kept_in_the_users_cache(monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert default_cache() == Path("/somewhere/deepthings/programs")


def test_programs_are_kept_below_home_when_nothing_else_is_said(monkeypatch):
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", "/home/pi")
    assert default_cache() == Path("/home/pi/.cache/deepthings/programs")


def test_an_edge_listens_on_loopback_unless_told_otherwise():
    assert is_loopback(EdgeConfig("pi-1", Address("gateway", 1883)).listen.host)


def test_more_frames_are_under_way_while_more_are_computed_side_by_side():
    usual = EdgeConfig("pi-1", Address("gateway", 1883))
    assert [usual.max_frames(lanes) for lanes in (1, 2, 4)] == [3, 4, 6]
    assert [replace(usual, frames_in_flight=1).max_frames(lanes) for lanes in (1, 4)] == [1, 1]
