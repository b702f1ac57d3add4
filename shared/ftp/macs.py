"""Multiply-accumulate operations (MACs) of layers and parts of them."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, cast

from shared.model.network import SLIDING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from shared.ftp.region import Region
    from shared.model.arrays import Shape
    from shared.model.network import Layer, Network


def macs_per_cell(layer: Layer, shapes: Mapping[str, Shape]) -> float:
    """Return the MACs for one cell (one row, one column, all channels) of the layer's output."""
    if layer.op in {"Conv", "ConvTranspose"}:
        weight = max(layer.constants.values(), key=prod, default=())
        if layer.op == "Conv":
            return prod(weight)
        strides = cast("tuple[int, ...]", layer.attributes.get("strides", (1, 1)))
        return prod(weight) / prod(strides)
    channels = shapes[layer.outputs[0]][1] if len(shapes.get(layer.outputs[0], ())) > 1 else 0
    kernel = cast("tuple[int, ...]", layer.attributes.get("kernel_shape", (1, 1))) if layer.op in SLIDING else (1, 1)
    return 0 if layer.op in {"Concat", "Identity", "Split", "Slice"} else channels * prod(kernel) / 2


def macs_of(network: Network, layers: Sequence[Layer]) -> int:
    """Return the MACs of layers on their whole maps; layers of unknown shape count 0."""
    total = 0.0
    for layer in layers:
        shape = network.shapes.get(layer.outputs[0], ())
        if len(shape) == 4:
            total += macs_per_cell(layer, network.shapes) * shape[2] * shape[3]
    return round(total)


def macs_of_regions(network: Network, layers: Sequence[Layer], computed: Mapping[str, Region]) -> int:
    """Return the MACs of layers when only these regions of their outputs are computed."""
    return round(sum(macs_per_cell(layer, network.shapes) * computed[layer.outputs[0]].area for layer in layers))
