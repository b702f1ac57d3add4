from __future__ import annotations

from pathlib import Path

import pytest

from shared.doctor import device_probe
from shared.doctor.device_probe import cache_folder, free_bytes, read_memory, read_throttled, try_to_write
from shared.systemd.unit import Unit


@pytest.fixture(autouse=True)
def no_raspberry_pi(monkeypatch):
    monkeypatch.setattr(device_probe.shutil, "which", lambda _: None)


@pytest.mark.parametrize(
    ("text", "flags"),
    [("50005\n", 0x50005), ("throttled=0x50000\n", 0x50000), ("0\n", 0), ("no idea", None), ("", None)],
)
def test_the_flags_of_a_raspberry_pi_are_read(tmp_path, text, flags):
    path = tmp_path / "get_throttled"
    path.write_text(text)
    assert read_throttled(path) == flags


def test_a_device_without_these_flags_has_none(tmp_path):
    assert read_throttled(tmp_path / "nothing") is None


def test_vcgencmd_is_asked_where_the_kernel_does_not_say(tmp_path, monkeypatch):
    command = tmp_path / "vcgencmd"
    command.write_text("#!/bin/sh\necho throttled=0x4\n")
    command.chmod(0o755)
    monkeypatch.setattr(device_probe.shutil, "which", lambda _: str(command))
    assert read_throttled(tmp_path / "nothing") == 4


def test_memory_is_read_in_bytes(tmp_path):
    path = tmp_path / "meminfo"
    path.write_text("MemTotal:        1000 kB\nMemAvailable:     600 kB\nHugePages_Total:       0\n")
    assert read_memory(path) == {"MemTotal": 1_024_000, "MemAvailable": 614_400}
    assert read_memory(tmp_path / "nothing") == {}


def test_a_folder_that_does_not_exist_yet_is_tried_where_it_would_be_made(tmp_path):
    assert try_to_write(tmp_path / "cache" / "programs") == ""
    assert list(tmp_path.iterdir()) == []
    assert free_bytes(tmp_path / "cache" / "programs") == pytest.approx(free_bytes(tmp_path), rel=0.5)


def test_a_file_in_the_place_of_the_folder_is_named(tmp_path):
    (tmp_path / "programs").write_text("")
    assert "not a folder" in try_to_write(tmp_path / "programs")


def test_the_cache_is_that_of_the_service_if_there_is_one(tmp_path, monkeypatch):
    unit = Unit("edge", Path("deepthings"), ("--cache", str(tmp_path)), "nobody")
    monkeypatch.setattr(device_probe, "installed_units", lambda: [unit])
    assert cache_folder()[0] == tmp_path
