"""Networks without a convolution that can be computed tile by tile, and what stands in their place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.errors import ModelError

if TYPE_CHECKING:
    from shared.model.network import Network

BY_ONNXRUNTIME = "was optimised by onnxruntime, whose own layers are not tiled; use the file that it was made of"
BLOCKED_DOMAIN = "com.microsoft.nchwc"
"""Layers of onnxruntime on maps of another layout, which only the processor knows that they were made for."""

NO_CONVOLUTION = {
    "ConvInteger": "is quantised dynamically: its scales are computed from the whole picture, so no tile has them; "
    "use the float model, or make an int8 one of it with deepthings quantize",
    "QLinearConv": "is quantised in the QOperator format, which is not tiled; quantise it in the QDQ format, or with "
    "deepthings quantize",
    "FusedConv": BY_ONNXRUNTIME,
    "NhwcFusedConv": BY_ONNXRUNTIME,
}
"""What stands in the place of convolutions in files that have none, and what to do then."""


def refuse_without_convolution(network: Network, domains: set[str]) -> None:
    """Raise ModelError, with the reason and what to do, when a network's first convolution cannot be tiled, or is none.

    `domains` are those of its operators.
    """
    if BLOCKED_DOMAIN in domains:
        raise ModelError(f"{network.name} {BY_ONNXRUNTIME}")
    found = next((layer.op for layer in network.layers if layer.op == "Conv" or layer.op in NO_CONVOLUTION), None)
    if found is None:
        raise ModelError(f"{network.name} has no convolution: there is nothing in it to compute tile by tile")
    if found != "Conv":
        raise ModelError(f"{network.name} {NO_CONVOLUTION[found]}")
