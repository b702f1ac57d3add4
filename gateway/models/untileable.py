"""Recognises networks without a convolution that can be computed tile by tile."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.model.network import Network

BY_ONNXRUNTIME = "was optimised by onnxruntime, whose own layers cannot be tiled; use the original file"
BLOCKED_DOMAIN = "com.microsoft.nchwc"
"""The domain of operators of onnxruntime whose memory layout depends on the processor."""

NO_CONVOLUTION = {
    "ConvInteger": "is quantised dynamically: its scales are computed from the whole picture, so tiles have none; "
    "use the float model, or make an int8 one of it with deepthings quantize",
    "QLinearConv": "is quantised in the QOperator format, which cannot be tiled; quantise it in the QDQ format, or "
    "with deepthings quantize",
    "FusedConv": BY_ONNXRUNTIME,
    "NhwcFusedConv": BY_ONNXRUNTIME,
}
"""The problem and the remedy for operators that replace convolutions in some files."""


def why_untileable(network: Network, domains: set[str]) -> str:
    """Return why a network has no convolution that can be tiled, with the remedy; "" if it has one.

    `domains` are the domains of the network's operators.
    """
    if BLOCKED_DOMAIN in domains:
        return f"{network.name} {BY_ONNXRUNTIME}"
    found = next((layer.op for layer in network.layers if layer.op == "Conv" or layer.op in NO_CONVOLUTION), None)
    if found is None:
        return f"{network.name} has no convolution, so it cannot be computed tile by tile"
    return "" if found == "Conv" else f"{network.name} {NO_CONVOLUTION[found]}"
