"""Predicts how long devices compute parts of a network: operations, weighted by kind of layer. Pure.

All costs are in MACs of a usual convolution, so that one measured speed of a device stands for all layers. The weights
of kinds are those that a device has measured, and the constants here for others.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from shared.engine.kernel_kinds import (
    BASE_KINDS,
    MAX_KERNEL_COST,
    WEIGHT_CELLS,
    KernelKind,
    kind_of_convolution,
)  # fmt: skip
from shared.ftp.macs import macs_per_cell

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from shared.model.arrays import Shape
    from shared.model.network import Layer

FEW_CHANNELS_COST = 4.0
"""A convolution of so few channels, the picture's, does not fill the units that compute. Measured: YOLOv2's first layer
takes 3.6 times as long for each operation as those of many channels, on a desktop processor."""

DEPTHWISE_COST = 5.0
"""A depthwise convolution uses every cell once, and waits for memory. Assumed, not measured."""

POOLED_COST = 60.0
"""Operations in the time that a pool takes for one value of its output. Measured: 56 for YOLOv2's second pool; its
first one, of the largest maps, takes 200."""

USUAL_COSTS: Mapping[KernelKind, float] = {
    KernelKind.USUAL: 1.0,
    KernelKind.PICTURE: FEW_CHANNELS_COST,
    KernelKind.POINTWISE: 1.0,
    KernelKind.DEPTHWISE: DEPTHWISE_COST,
    KernelKind.POOL: POOLED_COST,
    KernelKind.ELEMENTWISE: 0.0,
    KernelKind.DISPATCH: 0.0,
}
"""Costs of a unit of work by kind, where a device has not measured its own; 0: little beside the others."""

KINDS = tuple(KernelKind)

Units = tuple[float, ...]
"""Work, or the cost of a unit of it, by kind in the order of KINDS."""

NO_WORK: Units = (0.0,) * len(KINDS)

FUSED = frozenset(
    [
        "BatchNormalization", "Clip", "Dropout", "HardSigmoid", "Identity", "LeakyRelu", "Relu", "Sigmoid", "Tanh",
        "Reshape", "Squeeze", "Unsqueeze", "Flatten",
    ]
)  # fmt: skip
"""Operators that are computed with the convolution before them, or compute nothing."""


def unit_costs(measured: Mapping[str, float] | Mapping[KernelKind, float]) -> Units:
    """Return the cost of a unit by kind: a device's measured ones, by the names of kinds, and the usual others.

    Kinds that this release does not know are ignored, and costs that cannot be.
    """
    known = {str(kind): cost for kind, cost in measured.items() if 0 < cost <= MAX_KERNEL_COST}
    return tuple(known.get(kind, USUAL_COSTS[kind]) for kind in KINDS)


def cost_of_work(work: Units, costs: Units) -> float:
    """Return the cost of work, in MACs of a usual convolution."""
    return sum(units * cost for units, cost in zip(work, costs, strict=True))


def work_of_layer(layer: Layer, shapes: Mapping[str, Shape]) -> tuple[Units, Units]:
    """Return the work of a layer for a cell of its output (all channels), and that which it is for any number."""
    if layer.op in {"MaxPool", "AveragePool"}:
        return _units({KernelKind.POOL: shapes[layer.outputs[0]][1]}), _units({KernelKind.DISPATCH: 1.0})
    if layer.op not in {"Conv", "ConvTranspose"}:
        shape = shapes.get(layer.outputs[0], ())
        if layer.op in FUSED or len(shape) != 4:
            return NO_WORK, NO_WORK
        return _units({KernelKind.ELEMENTWISE: shape[1]}), _units({KernelKind.DISPATCH: 1.0})
    weight = max(layer.constants.values(), key=prod, default=())
    macs = macs_per_cell(layer, shapes)
    if len(weight) < 2:
        return _units({KernelKind.USUAL: macs}), NO_WORK
    kind = kind_of_convolution(weight)
    reading = {} if kind is KernelKind.DEPTHWISE else {_reading_kind(kind): WEIGHT_CELLS * macs}
    return _units({kind: macs}), _units({**reading, KernelKind.DISPATCH: 1.0})


def _reading_kind(kind: KernelKind) -> KernelKind:
    """Return the kind in whose unit the reading of weights is counted."""
    return kind if kind in BASE_KINDS else KernelKind.USUAL


def _units(work: Mapping[KernelKind, float]) -> Units:
    return tuple(work.get(kind, 0.0) for kind in KINDS)


def sum_work(parts: Sequence[Units]) -> Units:
    """Return the sum of works."""
    return tuple(map(sum, zip(*parts, strict=True))) if parts else NO_WORK
