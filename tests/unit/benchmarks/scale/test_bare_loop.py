from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.scale import bare_loop
from benchmarks.scale.bare_figures import BareOrder
from benchmarks.scale.bare_loop import measure, normalised, normalising_tables
from benchmarks.scale.bare_model import BareModel
from shared.model.normalising import normalise
from shared.model.spec import CompleteSpec, Preprocessing


@pytest.mark.parametrize(
    "preprocessing",
    [
        Preprocessing(),
        Preprocessing(mean=(103.53, 116.28, 123.675), std=(57.375, 57.12, 58.395)),
        Preprocessing(std=(1.0, 1.0, 1.0)),
    ],
)
def test_the_input_is_that_of_the_product_bit_for_bit(preprocessing):
    pixels = np.random.default_rng(1).integers(0, 256, (32, 48, 3), np.uint8)
    assert np.array_equal(normalised(pixels, normalising_tables(preprocessing)), normalise(pixels, preprocessing))


@pytest.fixture
def clock(monkeypatch):
    """A clock that goes on by what the work says."""
    now = [0.0]
    clock = SimpleNamespace(perf_counter=lambda: now[0], process_time=lambda: now[0] / 2)
    monkeypatch.setattr(bare_loop, "time", clock)
    return now


def works(clock, seconds):
    def work():
        clock[0] += seconds

    return work


def test_work_ends_with_the_frame_that_passes_the_time(clock):
    found = measure(works(clock, 0.4), BareOrder(1.0))
    assert (found.frames, found.frames_per_s) == (3, pytest.approx(2.5))
    assert found.latency_s == pytest.approx(0.4)
    assert found.core_ms == pytest.approx(200)


def test_work_goes_on_until_there_are_enough_frames(clock):
    assert measure(works(clock, 0.4), BareOrder(1.0, frames=30)).frames == 30


def test_a_model_is_read_as_it_was_written(tmp_path):
    spec = CompleteSpec(name="mine", file="mine.onnx", decoder="yolox", labels=("person",))
    model = BareModel(tmp_path / "mine.onnx", spec, (416, 320), {"boxes": (1, 10, 6)})
    model.write(tmp_path / "mine.json")
    assert BareModel.read(tmp_path / "mine.json") == model
