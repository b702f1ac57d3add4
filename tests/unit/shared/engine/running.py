"""Running a stage's tiles, and the whole network, in unit tests of the engine."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime

from shared.engine.building import build_program
from shared.engine.sessions import PreparedEngine, SpecialEngine, read_manifest
from shared.engine.specialising import specialise
from shared.ftp.merge import MergedMaps
from shared.ftp.reuse import with_reuse
from shared.ftp.tiles import partition
from shared.model.cutting import head_model
from shared.model.loading import describe_network
from shared.model.spec import Preprocessing

PREPARATION = Preprocessing(mean=(100.0, 110.0, 120.0), std=(50.0, 55.0, 60.0))
"""Black pixels are not zero after it, so that a border of the wrong value is seen."""


def build_stage(model, cut, grid, *, reuse=False):
    network = describe_network(model, "test")
    stage = partition(network, cut, grid)
    if reuse:
        stage = with_reuse(network, stage)
    return stage, build_program(head_model(model, network, cut), stage, PREPARATION)


def random_pixels(height, width):
    return np.random.default_rng(height * width).integers(0, 256, (height, width, 3), np.uint8)


def prepare(pixels):
    planes = (pixels.astype(np.float32) - np.array(PREPARATION.mean, np.float32)) / np.array(
        PREPARATION.std, np.float32
    )
    return np.ascontiguousarray(planes.transpose(2, 0, 1)[np.newaxis])


def merge_tiles(model, stage, pixels, run):
    """Merge the maps at the cut from the results of `run` for (tile's pixels, tile)."""
    merged = MergedMaps([describe_network(model, "test").shapes[tensor] for tensor in stage.cut], stage.tiles)
    for tile in stage.tiles:
        merged.place(tile.index, run(pixels[tile.inputs[0].slices], tile))
    assert merged.complete
    return merged.maps


def open_prepared(folder):
    """Open the engine prepared in this folder, checked as an edge does it."""
    return PreparedEngine.open_checked(folder, read_manifest(folder))


def merge_reusing(model, stage, read, engine_of):
    """Compute the maps at the cut: first the independent tiles, then the others from their strips.

    `read` are the stage's inputs, pixels (H, W, 3) or maps (1, C, H, W); `engine_of` has the engine for a form.
    """
    merged = MergedMaps([describe_network(model, "test").shapes[tensor] for tensor in stage.cut], stage.tiles)
    computed = [reusing or tile for tile, reusing in zip(stage.tiles, stage.reusing or stage.tiles, strict=True)]
    held = {}
    for tile in sorted(computed, key=lambda tile: len(tile.taken) > 0):
        strips = [held.pop((strip.joint, strip.side, tile.index)) for strip in tile.taken]
        made, handed_on = engine_of(tile.form).run(tile.form, parts_of(tile, read), strips)
        for strip, array in zip(tile.given, handed_on, strict=True):
            assert array.shape[2:] == (strip.region.height, strip.region.width)
            held[strip.joint, strip.side, strip.tile] = array
        assert merged.place(tile.index, made)
    assert merged.complete
    assert not held, "strips that nobody took"
    return merged.maps


def parts_of(tile, read):
    """Return the parts of the stage's inputs that a tile reads."""
    return [
        whole[region.slices] if whole.ndim == 3 else whole[:, :, *region.slices]
        for whole, region in zip(read, tile.inputs, strict=True)
    ]


def special_engines(program):
    """Return a function that opens an ordinary session for a kind of tile when it is needed."""
    loaded, engines = onnx.load_from_string(program), {}

    def engine_of(form):
        if form.kind not in engines:
            engines[form.kind] = SpecialEngine(specialise(loaded, form).SerializeToString())
        return engines[form.kind]

    return engine_of


def run_whole(model, cut, pixels):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(list(cut), {"image": prepare(pixels)})


def assert_same(tiled, whole, tolerance=1e-5):
    """Equal, but for another order of summation."""
    for made, expected in zip(tiled, whole, strict=True):
        np.testing.assert_allclose(made, expected, rtol=0, atol=tolerance * max(1.0, float(np.abs(expected).max())))
