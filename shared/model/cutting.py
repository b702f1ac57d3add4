"""Cutting a model in two: the head, run tile by tile on the edges, and the tail, run on the gateway."""

from __future__ import annotations

from typing import TYPE_CHECKING

from onnx.utils import Extractor

if TYPE_CHECKING:
    from collections.abc import Sequence

    import onnx

    from shared.model.network import Network


def head_model(model: onnx.ModelProto, network: Network, cut: Sequence[str]) -> onnx.ModelProto:
    """The part of `model` that makes the maps `cut`. Raises CutError as Network.head does."""
    network.head(cut)
    return Extractor(model).extract_model([network.input], list(cut))


def tail_model(model: onnx.ModelProto, network: Network, cut: Sequence[str]) -> onnx.ModelProto:
    """The part of `model` that turns the maps `cut` into its outputs. Raises CutError as Network.head does."""
    network.head(cut)
    return Extractor(model).extract_model(list(cut), list(network.outputs))
