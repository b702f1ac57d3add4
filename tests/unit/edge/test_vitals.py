from __future__ import annotations

import os

import pytest

from edge import vitals


@pytest.fixture
def zones(tmp_path):
    """Writes what thermal zones say, by number; None for one that has no temperature."""

    def write(**readings):
        for name, text in readings.items():
            zone = tmp_path / f"thermal_{name}"
            zone.mkdir()
            if text is not None:
                (zone / "temp").write_text(text)
        return tmp_path

    return write


def test_the_load_is_a_part_of_all_cores(monkeypatch):
    monkeypatch.setattr(os, "getloadavg", lambda: (3.0, 2.0, 1.0))
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    assert vitals.load() == 0.75


def test_the_load_of_a_system_that_does_not_know_its_cores_is_that_of_one(monkeypatch):
    monkeypatch.setattr(os, "getloadavg", lambda: (0.333, 0, 0))
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert vitals.load() == 0.33


def test_a_system_that_does_not_tell_has_no_load(monkeypatch):
    def refuse():
        raise OSError

    monkeypatch.setattr(os, "getloadavg", refuse)
    assert vitals.load() is None


def test_the_temperature_is_that_of_the_warmest_zone(zones):
    assert vitals.temperature(zones(zone0="48312\n", zone1="61050\n", zone10="50000")) == 61.0


def test_a_frost_is_a_temperature(zones):
    assert vitals.temperature(zones(zone0="-5040\n")) == -5.0


def test_zones_that_say_nothing_of_use_are_passed_over(zones):
    folder = zones(zone0="", zone1="hot\n", zone2=None, zone3="40000\n", cooling0="99000")
    (folder / "thermal_zone4" / "temp").mkdir(parents=True)
    assert vitals.temperature(folder) == 40.0


def test_a_device_without_a_thermometer_has_no_temperature(zones, tmp_path):
    assert vitals.temperature(zones(zone0="broken")) is None
    assert vitals.temperature(tmp_path / "not there") is None


def test_this_machine_can_be_asked():
    load, temperature = vitals.load(), vitals.temperature()
    assert load is None or load >= 0
    assert temperature is None or -100 < temperature < 200


def test_the_rate_of_tiles_is_that_of_the_last_seconds():
    rate = vitals.TileRate()
    assert rate.at(0.0, 100) == 0.0
    assert rate.at(1.0, 103) == 3.0
    assert [rate.at(1.0 + second, 103 + 2 * second) for second in range(1, 40)][-1] == 2.0
    assert [rate.at(40.0 + second, 181) for second in range(1, 15)][-1] == 0.0


def test_the_rate_of_tiles_remembers_only_what_it_needs():
    rate = vitals.TileRate()
    for second in range(1000):
        rate.at(float(second), second)
    assert len(rate._counted) <= vitals.RATE_S + 2
