from __future__ import annotations

import pytest

from shared.engine.kernel_kinds import KernelKind
from shared.engine.kernel_measuring import run_kernel_trial
from shared.engine.kernel_trial import MIN_RUNS, KernelReading, KernelTrial, decode_reading, measure_kernels
from shared.engine.opening import TileKinds
from shared.engine.preparing import prepare_program
from shared.ftp.grid import Grid
from tests.networks import ModelBuilder
from tests.unit.shared.engine.running import build_stage

TRIALS = 4
"""Other programs may take too much of the time of one to tell."""


@pytest.fixture(scope="module")
def trial(tmp_path_factory):
    """A trial of a prepared program with a layer of each kind."""
    folder = tmp_path_factory.mktemp("kernels")
    build = ModelBuilder(96, 96)
    tensor = build.conv("image", 16, 3, name="picture", pads=[1] * 4)
    tensor = build.conv(tensor, 32, 3, name="usual", pads=[1] * 4)
    tensor = build.layer("MaxPool", tensor, name="pool", kernel_shape=[2, 2], strides=[2, 2])
    tensor = build.conv(tensor, 32, 5, name="depthwise", pads=[2] * 4, group=32)
    tensor = build.conv(tensor, 64, 1, name="pointwise")
    stage, program = build_stage(build.model(tensor), [tensor], Grid(1, 1))
    (folder / "program.onnx").write_bytes(program)
    kinds = TileKinds.from_forms(stage.forms, 10**6)
    prepare_program(folder / "program.onnx", kinds.forms, folder / "prepared")
    return KernelTrial(folder / "prepared", kinds.largest, kinds.working_bytes, 1, 0.05)


def test_a_trial_and_its_reading_travel_as_json(trial):
    assert KernelTrial.from_json(trial.to_json()) == trial
    assert decode_reading('[{"usual": 1.0, "pool": 20}, 0.1, 0.2]') == KernelReading(
        {KernelKind.USUAL: 1.0, KernelKind.POOL: 20.0}, 0.1, 0.2
    )
    for text in ("", "[]", '[{"unheard": 1}, 1, 1]', "[[], 0, 0, 0]"):
        with pytest.raises((ValueError, TypeError)):
            decode_reading(text)


def test_each_kind_of_layer_of_a_program_is_measured(trial):
    readings = (measure_kernels(trial) for _ in range(TRIALS))
    reading = next(reading for reading in readings if reading.costs)
    assert reading.costs[KernelKind.USUAL] == 1
    assert {KernelKind.PICTURE, KernelKind.DEPTHWISE, KernelKind.POINTWISE} <= set(reading.costs)
    assert all(cost > 0.01 for cost in reading.costs.values())
    assert 0 < reading.run_s <= MIN_RUNS * reading.took_s


async def test_it_runs_in_a_process_of_its_own(trial):
    told = [await run_kernel_trial(trial) for _ in range(TRIALS)]
    assert any(costs.get(KernelKind.USUAL) == 1 for costs in told)


async def test_a_trial_that_fails_tells_nothing(trial, tmp_path, caplog):
    missing = KernelTrial(tmp_path / "nothing", trial.form, trial.working_bytes, 1, 0.05)
    assert await run_kernel_trial(missing) == {}
    assert "could not be measured; plans are predicted with the usual ones" in caplog.text
