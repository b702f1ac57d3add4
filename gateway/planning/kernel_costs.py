"""Predicts how long devices compute parts of a network: operations, weighted by kind of layer. Pure.

All costs are in MACs of a usual convolution, so that one measured speed of a device stands for all layers.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from shared.ftp.macs import macs_per_cell

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.model.arrays import Shape
    from shared.model.network import Layer

WEIGHT_CELLS = 27.0
"""Reading all weights of a convolution takes as long as computing this many cells of its output. Measured: 70 of the
361 cells of a layer of 1024 channels, 19 %, take 25 % of its time."""

FEW_CHANNELS, FEW_CHANNELS_COST = 4, 4.0
"""A convolution of so few channels, the picture's, does not fill the units that compute. Measured: YOLOv2's first layer
takes 3.6 times as long for each operation as those of many channels, on a desktop processor."""

DEPTHWISE_COST = 5.0
"""A depthwise convolution uses every cell once, and waits for memory. Assumed, not measured."""

POOLED_COST = 60.0
"""Operations in the time that a pool takes for one value of its output. Measured: 56 for YOLOv2's second pool; its
first one, of the largest maps, takes 200."""


def cost_of_cells(layer: Layer, shapes: Mapping[str, Shape]) -> tuple[float, float]:
    """Return the cost of a layer for a cell of its output (all channels), and the cost that it has for any number.

    Layers that neither convolve nor pool cost nothing: they are computed with the layer before, or take little.
    """
    if layer.op in {"MaxPool", "AveragePool"}:
        return POOLED_COST * shapes[layer.outputs[0]][1], 0.0
    if layer.op not in {"Conv", "ConvTranspose"}:
        return 0.0, 0.0
    weight = max(layer.constants.values(), key=prod, default=())
    macs = macs_per_cell(layer, shapes)
    if len(weight) < 2:
        return macs, 0.0
    outputs, inputs_of_group, *_ = weight
    if inputs_of_group == 1 and outputs > 1:
        return DEPTHWISE_COST * macs, 0.0
    few = inputs_of_group <= FEW_CHANNELS
    return (FEW_CHANNELS_COST if few else 1.0) * macs, WEIGHT_CELLS * macs
