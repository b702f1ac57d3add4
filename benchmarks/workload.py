"""Writes the paper's network with seeded random weights: YOLOv2 in Darknet's files, whole or without its last layers.

The trained weights (200 MB) may not be distributed. Bytes and times do not depend on the weights' values.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

INPUT_SIZE = 608
"""Width and height of the input in the paper, in pixels."""

FUSED_LAYERS = 16
"""Number of layers that the paper fuses (section V): layers 0 to 15."""

PAPER_CUT = "layer_15"
"""The name that the importer of Darknet's files gives to the map behind the fused layers."""

CLASSES, ANCHORS = 80, 5
"""Numbers of classes, as in COCO, and of boxes that each cell predicts."""

ANCHOR_SIZES = "0.57273,0.677385, 1.87446,2.06253, 3.33843,5.47434, 7.88282,3.52778, 9.77052,9.16828"

MAX_POOL = (0, 0)
"""Stands for a pooling layer in a list of convolutions."""

YOLOV2_LAYERS = (
    (32, 3), MAX_POOL, (64, 3), MAX_POOL, (128, 3), (64, 1), (128, 3), MAX_POOL, (256, 3), (128, 1), (256, 3), MAX_POOL,
    (512, 3), (256, 1), (512, 3), (256, 1), (512, 3), MAX_POOL, (1024, 3), (512, 1), (1024, 3), (512, 1), (1024, 3),
    (1024, 3), (1024, 3),
)  # fmt: skip
"""Filters and kernel size of each convolution in YOLOv2, up to where its layers begin to branch."""

OBJECTNESS_BIAS, CLASS_SPREAD = -5.0, 4.0
"""Added to objectness, so that most cells are empty; and factor of the class weights, so that classes differ.

With both, a few objects are found. Their detections must be the same in all settings.
"""


@dataclass(frozen=True, slots=True)
class _Layer:
    """A convolution. `channels`: of its input; `size`: of its kernel; `head`: it is just before the detection layer."""

    channels: int
    filters: int
    size: int
    head: bool = False


def write_yolov2(folder: Path, *, whole: bool, seed: int = 1, side: int = INPUT_SIZE) -> Path:
    """Write yolov2.cfg and yolov2.weights (205 MB) into the folder, or, unless `whole`, yolov2-fused.* (14 MB).

    The latter has the fused layers and a detection layer right behind them. `side`: width and height of the input, in
    pixels. Returns the path of the .cfg.
    """
    folder.mkdir(parents=True, exist_ok=True)
    cfg = folder / ("yolov2.cfg" if whole else "yolov2-fused.cfg")
    sections, layers = _network(YOLOV2_LAYERS if whole else YOLOV2_LAYERS[:FUSED_LAYERS], whole=whole, side=side)
    cfg.write_text("\n\n".join(sections))
    random = np.random.default_rng(seed)
    with cfg.with_suffix(".weights").open("wb") as file:
        file.write(struct.pack("<3iq", 0, 2, 5, 0))
        for layer in layers:
            for array in _weights(random, layer):
                file.write(array.astype("<f4").tobytes())
    return cfg


def _network(
    chain: Sequence[tuple[int, int]], *, whole: bool, side: int = INPUT_SIZE
) -> tuple[list[str], list[_Layer]]:
    """Return the sections of the .cfg, and the convolutions in the same order."""
    sections, layers, channels = [f"[net]\nheight={side}\nwidth={side}\nchannels=3"], [], 3
    for filters, size in chain:
        if (filters, size) == MAX_POOL:
            sections.append("[maxpool]\nsize=2\nstride=2")
            continue
        sections.append(_convolution(filters, size))
        layers.append(_Layer(channels, filters, size))
        channels = filters
    if whole:
        sections += ["[route]\nlayers=-9", _convolution(64, 1), "[reorg]\nstride=2", "[route]\nlayers=-1,-4"]
        sections.append(_convolution(1024, 3))
        layers += [_Layer(512, 64, 1), _Layer(channels + 4 * 64, 1024, 3)]
        channels = 1024
    filters = ANCHORS * (5 + CLASSES)
    sections.append(f"[convolutional]\nsize=1\nstride=1\npad=1\nfilters={filters}\nactivation=linear")
    layers.append(_Layer(channels, filters, 1, head=True))
    sections.append(f"[region]\nanchors={ANCHOR_SIZES}\nclasses={CLASSES}\ncoords=4\nnum={ANCHORS}\nsoftmax=1\n")
    return sections, layers


def _convolution(filters: int, size: int) -> str:
    return f"[convolutional]\nbatch_normalize=1\nfilters={filters}\nsize={size}\nstride=1\npad=1\nactivation=leaky"


def _weights(random: np.random.Generator, layer: _Layer) -> Iterator[np.ndarray[tuple[int, ...], np.dtype[np.float64]]]:
    """Yield biases, scales, means, variances and kernels, in Darknet's order.

    They are scaled so that the values of all maps are about as large.
    """
    fan_in = layer.channels * layer.size**2
    kernels = random.standard_normal((layer.filters, fan_in)) * np.sqrt(2.4 / fan_in)
    kernels -= kernels.mean(axis=1, keepdims=True)  # so that cells differ
    biases = random.normal(0, 0.1, layer.filters)
    if layer.head:
        rows = kernels.reshape(ANCHORS, 5 + CLASSES, fan_in)
        rows[:, 5:] *= CLASS_SPREAD
        rows[:, 4] *= 2.5
        biases.reshape(ANCHORS, -1)[:, 4] += OBJECTNESS_BIAS
        yield from (biases, kernels)
        return
    yield biases
    yield random.uniform(0.9, 1.3, layer.filters)
    yield random.normal(0, 0.2, layer.filters)
    yield random.uniform(0.5, 2, layer.filters)
    yield kernels
