"""Running a stage's tiles, and the whole network, in unit tests of the engine."""

from __future__ import annotations

import numpy as np
import onnxruntime

from shared.engine.building import build_program
from shared.ftp.merge import MergedMaps
from shared.ftp.tiles import partition
from shared.model.cutting import head_model
from shared.model.loading import describe
from shared.model.spec import Preprocessing

PREPARATION = Preprocessing(mean=(100.0, 110.0, 120.0), std=(50.0, 55.0, 60.0))
"""Black pixels are not zero after it, so that a border of the wrong value is seen."""


def build_stage(model, cut, grid):
    network = describe(model, "test")
    stage = partition(network, cut, grid)
    return stage, build_program(head_model(model, network, cut), stage, PREPARATION)


def random_pixels(height, width):
    return np.random.default_rng(height * width).integers(0, 256, (height, width, 3), np.uint8)


def prepare(pixels):
    planes = (pixels.astype(np.float32) - np.array(PREPARATION.mean, np.float32)) / np.array(
        PREPARATION.std, np.float32
    )
    return np.ascontiguousarray(planes.transpose(2, 0, 1)[np.newaxis])


def merge_tiles(model, stage, pixels, run):
    """The maps at the cut from the tiles that `run` makes of (tile's pixels, tile)."""
    merged = MergedMaps([describe(model, "test").shapes[tensor] for tensor in stage.cut], stage.tiles)
    for tile in stage.tiles:
        merged.place(tile.index, run(pixels[tile.input.slices], tile))
    assert merged.complete
    return merged.maps


def run_whole(model, cut, pixels):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(list(cut), {"image": prepare(pixels)})


def assert_same(tiled, whole, tolerance=1e-5):
    """Equal, but for another order of summation."""
    for made, expected in zip(tiled, whole, strict=True):
        np.testing.assert_allclose(made, expected, rtol=0, atol=tolerance * max(1.0, float(np.abs(expected).max())))
