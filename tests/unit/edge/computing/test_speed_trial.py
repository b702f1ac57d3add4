from __future__ import annotations

from types import SimpleNamespace

import pytest

from edge.computing.speed_trial import QUOTA_TRIAL_S, TRIAL_S, measure_speed
from shared.errors import ModelError
from tests.unit.edge.works import whole_work

WORK = whole_work(epoch=7)
MACS = WORK.tile(0).macs


class Device:
    """An engine whose runs take these seconds, the last of them for ever, on a clock of ours."""

    def __init__(self, monkeypatch, *seconds):
        monkeypatch.setattr("edge.computing.speed_trial.time", self)
        self.now, self.seconds, self.runs = 100.0, list(seconds), 0

    def monotonic(self):
        return self.now

    def run(self, form, parts):
        assert [part.shape[:2] for part in parts] == list(form.sizes)
        self.runs += 1
        self.now += self.seconds.pop(0) if len(self.seconds) > 1 else self.seconds[0]

    def work(self):
        return SimpleNamespace(tile=WORK.tile, engines=[self])


async def test_the_first_run_does_not_count(monkeypatch):
    device = Device(monkeypatch, 0.2, 0.05)
    assert await measure_speed(device.work(), quota=False) == pytest.approx(MACS / 0.05)
    assert device.now - 100.0 == pytest.approx(TRIAL_S, abs=0.051)


async def test_a_slow_device_has_no_time_for_a_second_run(monkeypatch):
    device = Device(monkeypatch, 7.0)
    assert await measure_speed(device.work(), quota=False) == pytest.approx(MACS / 7.0)
    assert device.runs == 1


async def test_with_a_quota_the_trial_lasts_many_of_its_periods(monkeypatch):
    device = Device(monkeypatch, 0.02, 0.02, 0.1)  # the first ones are not throttled yet
    assert await measure_speed(device.work(), quota=True) < 1.1 * MACS / 0.1
    assert device.now - 100.0 >= QUOTA_TRIAL_S


async def test_a_failing_engine_has_no_speed(monkeypatch):
    device = Device(monkeypatch, 0.1)

    def fail(*_):
        raise ModelError("memory ran out")

    device.run = fail
    assert await measure_speed(device.work(), quota=False) == 0.0
