from __future__ import annotations

import json

import pytest

from edge.computing import device_kernels
from edge.computing.device_kernels import DRIFT_TRIALS, KERNELS_FILE, MAX_UNTOLD, DeviceKernels
from shared.engine.kernel_kinds import KernelKind
from shared.engine.opening import TileKinds
from shared.ftp.stage import Form
from shared.process.usable_cores import ComputingCores

KINDS = TileKinds((Form(((36, 48),), ()),), 1000)
MEASURED = {KernelKind.USUAL: 1.0, KernelKind.DEPTHWISE: 3.14159, KernelKind.DISPATCH: 123456.0}
ROUNDED = {"usual": 1.0, "depthwise": 3.14, "dispatch": 123000.0}


class Device(DeviceKernels):
    """A device whose trials give these costs; remembers the trials."""

    def __init__(self, monkeypatch, measured=MEASURED, *, computing=None, free_bytes=2**30):
        super().__init__(computing or ComputingCores(1, 1.0))
        self.trials = []

        async def run_kernel_trial(trial):
            self.trials.append(trial)
            return measured

        monkeypatch.setattr(device_kernels, "run_kernel_trial", run_kernel_trial)
        monkeypatch.setattr(device_kernels, "free_memory", lambda: free_bytes)


async def test_what_was_measured_is_kept_beside_the_program(monkeypatch, tmp_path):
    device = Device(monkeypatch)
    assert not device.read_kept(tmp_path, 1)
    await device.measure(tmp_path, KINDS, 1, 1e9)
    assert device.costs == ROUNDED
    again = Device(monkeypatch)
    assert again.read_kept(tmp_path, 1)
    assert again.costs == ROUNDED
    assert not Device(monkeypatch).read_kept(tmp_path, 2), "it was measured with one thread"


@pytest.mark.parametrize(
    "kept",
    ["", "[]", '{"format": 0, "threads": 1, "costs": {"usual": 1}}', '{"format": 1, "threads": 1, "costs": {"x": 1}}',
     '{"format": 1, "threads": 1, "costs": {"usual": -1}}', '{"format": 1, "threads": 1, "costs": {}}'],
)  # fmt: skip
def test_a_damaged_file_is_measured_again(monkeypatch, tmp_path, kept):
    (tmp_path / KERNELS_FILE).write_text(kept)
    device = Device(monkeypatch)
    assert not device.read_kept(tmp_path, 1)
    assert device.costs == {}


async def test_a_trial_that_told_nothing_leaves_what_was_known(monkeypatch, tmp_path):
    await Device(monkeypatch).measure(tmp_path, KINDS, 1, 1e9)
    device = Device(monkeypatch, {})
    device.read_kept(tmp_path, 1)
    await device.measure(tmp_path, KINDS, 1, 1e9)
    assert device.costs == ROUNDED
    assert json.loads((tmp_path / KERNELS_FILE).read_text())["costs"] == ROUNDED


async def test_a_disturbed_measurement_is_tried_again_a_few_times(monkeypatch, tmp_path):
    device, measurements = Device(monkeypatch, {}), 1
    await device.measure(tmp_path, KINDS, 1, 1e9)
    while device.is_due(1e9):
        await device.measure(tmp_path, KINDS, 1, 1e9)
        measurements += 1
    assert measurements == MAX_UNTOLD
    told = Device(monkeypatch)
    await told.measure(tmp_path, KINDS, 1, 1e9)
    assert not told.is_due(1e9)


async def test_a_device_without_memory_for_a_second_process_is_not_measured(monkeypatch, tmp_path):
    device = Device(monkeypatch, free_bytes=2**20)
    await device.measure(tmp_path, KINDS, 1, 1e9)
    assert (device.trials, device.costs) == ([], {})


async def test_the_part_of_the_time_that_a_quota_takes_is_told_to_the_trial(monkeypatch, tmp_path):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1}, raising=False)
    limited = Device(monkeypatch, computing=ComputingCores(1, 0.2))
    await limited.measure(tmp_path, KINDS, 1, 1e9)
    wide = Device(monkeypatch, computing=ComputingCores(1, 2.0))
    await wide.measure(tmp_path, KINDS, 1, 1e9)
    assert [device.trials[0].stopped for device in (limited, wide)] == [pytest.approx(0.8), 0.0]


async def test_a_speed_that_has_changed_for_a_while_asks_for_another_measurement(monkeypatch, tmp_path):
    device = Device(monkeypatch)
    await device.measure(tmp_path, KINDS, 1, 1e9)
    assert not any(device.is_due(speed) for speed in (0.8e9, 1.2e9, 0.5e9, 1e9, 0.5e9, 0.0, 1e9))
    assert [device.is_due(0.5e9) for _ in range(DRIFT_TRIALS)] == [False] * (DRIFT_TRIALS - 1) + [True]
    await device.measure(tmp_path, KINDS, 1, 0.5e9)
    assert not any(device.is_due(0.5e9) for _ in range(5))


def test_kinds_that_were_measured_before_are_compared_with_the_first_speed_of_now(monkeypatch):
    device = Device(monkeypatch)
    assert not any(device.is_due(1e9) for _ in range(5))
    assert [device.is_due(3e9) for _ in range(DRIFT_TRIALS)][-1]
