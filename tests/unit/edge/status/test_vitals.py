from __future__ import annotations

import pytest

from edge.status import vitals


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


def ticks(user=0, nice=0, system=0, idle=0, waiting=0):
    return f"cpu  {user} {nice} {system} {idle} {waiting} 0 0 0 0 0\ncpu0 1 2 3 4\n"


@pytest.mark.parametrize(
    ("after", "share"),
    [
        (ticks(user=200, idle=500), 0.2),
        (ticks(user=100, nice=50, system=50, idle=500), 0.2),
        (ticks(user=600, idle=100), 1.0),
        (ticks(user=100, idle=500, waiting=100), 0.0),
        (ticks(user=100, idle=100), None),
    ],
)
def test_the_load_is_the_share_of_all_cores_that_worked(tmp_path, after, share):
    statistics = tmp_path / "stat"
    statistics.write_text(ticks(user=100, idle=100))
    cpu = vitals.CpuShare(statistics)
    statistics.write_text(after)
    assert [cpu.share_since_last(), cpu.share_since_last()] == [share, share]  # the second one within a tick


@pytest.mark.parametrize("text", ["", "cpu", "cpu 1 2 x 4 5\n", "cpu 1 2 3\n"])
def test_a_system_that_does_not_tell_has_no_load(tmp_path, text):
    (tmp_path / "stat").write_text(text)
    assert vitals.CpuShare(tmp_path / "stat").share_since_last() is None
    assert vitals.CpuShare(tmp_path / "away").share_since_last() is None


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
    load, temperature = vitals.CpuShare().share_since_last(), vitals.temperature()
    assert load is None or 0 <= load <= 1
    assert temperature is None or -100 < temperature < 200
