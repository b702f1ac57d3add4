"""What each kind of layer needs of its inputs for a region of its output (paper, section III-A, generalised).

The paper's equation (1) covers stride-1 convolutions and 2x2 pools in a chain; here a layer may have any stride,
dilation and one-sided padding, and several inputs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from shared.errors import CutError
from shared.ftp.region import Region

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from shared.model.network import Layer, Shape

SLIDING = frozenset({"Conv", "MaxPool"})
"""Layers that slide a kernel over the map."""

POINTWISE = frozenset(
    [
        "Add",
        "Concat",
        "Div",
        "HardSigmoid",
        "HardSwish",
        "Identity",
        "LeakyRelu",
        "Mul",
        "Relu",
        "Sigmoid",
        "Sub",
        "Tanh",
    ]
)
"""Layers whose output cell depends on the same cell of their inputs only."""

BORDER_VALUE = {"Conv": 0.0, "MaxPool": float("-inf")}
"""What lies beyond the border of a map, for each sliding layer."""


def demand(layer: Layer, output: Region) -> Region:
    """The region of each input that `layer` needs for `output`; it may reach over the map's border.

    Raises CutError when the layer cannot be computed region by region.
    """
    if layer.op in POINTWISE:
        return output
    (kernel_h, kernel_w), (stride_h, stride_w), (dilation_h, dilation_w), pads = sliding_geometry(layer)
    return Region(
        output.top * stride_h - pads[0],
        output.left * stride_w - pads[1],
        (output.bottom - 1) * stride_h + (kernel_h - 1) * dilation_h + 1 - pads[0],
        (output.right - 1) * stride_w + (kernel_w - 1) * dilation_w + 1 - pads[1],
    )


def sliding_geometry(
    layer: Layer,
) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """Kernel, stride and dilation as (rows, columns), and padding as (top, left, bottom, right)."""
    attributes = layer.attributes
    return (
        cast("tuple[int, ...]", attributes["kernel_shape"]),
        cast("tuple[int, ...]", attributes.get("strides", (1, 1))),
        cast("tuple[int, ...]", attributes.get("dilations", (1, 1))),
        cast("tuple[int, ...]", attributes.get("pads", (0, 0, 0, 0))),
    )


def refuse_untileable(layer: Layer, shapes: Mapping[str, Shape]) -> None:
    """Raise CutError, naming the layer, when it needs more of its inputs than a region of each."""
    objection = next(_objections(layer, shapes), None)
    if objection:
        raise CutError(f"layer {layer.name} ({layer.op}) {objection}; cut the network before it")


def _objections(layer: Layer, shapes: Mapping[str, Shape]) -> Iterator[str]:
    if layer.op not in SLIDING | POINTWISE:
        yield "cannot be computed tile by tile"
    if len(layer.outputs) != 1:
        yield "makes several maps"
    if any(len(shapes.get(tensor, ())) != 4 for tensor in (*layer.inputs, *layer.outputs)):
        yield "does not work on feature maps (1, C, H, W)"
    if layer.op in SLIDING and len(layer.inputs) != 1:
        yield "has weights that are computed from the picture"
    if layer.op == "MaxPool" and layer.attributes.get("ceil_mode", 0):
        yield "rounds its size up (ceil_mode), which is not tiled yet"
    if layer.op == "Concat" and layer.attributes.get("axis") not in {1, -3}:
        yield "does not join channels (axis 1)"
    if layer.op in POINTWISE:
        if any(shapes[tensor][2:] != shapes[layer.outputs[0]][2:] for tensor in layer.inputs):
            yield "spreads a smaller map over a larger one"
        if any(size != 1 for shape in layer.constants.values() for size in shape[-2:]):
            yield "has a constant that differs from cell to cell"
