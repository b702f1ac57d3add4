"""Build the ONNX model of a Darknet network layer by layer."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from shared.model.darknet.config import MAX_INTEGER
from shared.model.darknet.graph import DarknetMap, OnnxGraph

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.model.darknet.config import DarknetSection
    from shared.model.darknet.graph import NodeAttribute
    from shared.model.darknet.weights import DarknetWeights

ACTIVATIONS: dict[str, tuple[str, dict[str, NodeAttribute]]] = {
    "leaky": ("LeakyRelu", {"alpha": 0.1}),
    "logistic": ("Sigmoid", {}),
    "mish": ("Mish", {}),
    "relu": ("Relu", {}),
}
"""Activations that are one ONNX operation; linear needs none, swish needs two."""


class NetworkBuilder:
    """The model that is being built, and the maps of its layers. Methods raise ModelError, naming the section."""

    def __init__(self, image: DarknetMap, weights: DarknetWeights) -> None:
        self.image = image
        self.weights = weights
        self.graph = OnnxGraph(image)
        self._maps: list[DarknetMap | None] = []

    def end_layer(self, made: DarknetMap | None) -> None:
        """Register the map of the next Darknet layer, None for a layer without one."""
        self._maps.append(made)

    def previous_map(self, section: DarknetSection) -> DarknetMap:
        """Return the map of the layer before this one; the image for the first."""
        source = self._maps[-1] if self._maps else self.image
        if source is None:
            raise section.error(
                "follows a detection layer, which has no output map; insert a [route] to an earlier layer"
            )
        return source

    def earlier_maps(self, section: DarknetSection, key: str) -> list[DarknetMap]:
        """Return the maps of the layers that `key` lists: their numbers or, if negative, counted back from this one."""
        maps = []
        for index in section.get_ints(key):
            number = index + len(self._maps) if index < 0 else index
            source = self._maps[number] if 0 <= number < len(self._maps) else None
            if source is None:
                raise section.error("must list layers before this one, and no detection layer", key)
            maps.append(source)
        return maps

    def add_operation(
        self, section: DarknetSection, op: str, inputs: Sequence[str], target: DarknetMap, **attributes: NodeAttribute
    ) -> DarknetMap:
        """Add an operation with the output `target`; return `target`."""
        if not all(1 <= size <= MAX_INTEGER for size in target.shape):
            raise section.error(
                f"would make a map of {target.channels} channels and {target.height} x {target.width} cells; "
                "correct its keys, or width and height of [net]"
            )
        self.graph.add_node(op, inputs, target.tensor, target.shape, attributes)
        return target

    def add_activated_operation(
        self,
        section: DarknetSection,
        op: str,
        inputs: Sequence[str],
        target: DarknetMap,
        activation: str,
        **attributes: NodeAttribute,
    ) -> DarknetMap:
        """Add an operation and its activation; between the two is the tensor `layer_NN.conv` if `op` is Conv."""
        if activation == "linear":
            return self.add_operation(section, op, inputs, target, **attributes)
        if activation != "swish" and activation not in ACTIVATIONS:
            known = ", ".join(sorted([*ACTIVATIONS, "linear", "swish"]))
            raise section.error(f"is not supported; these are: {known}", "activation")
        inner = replace(target, tensor=f"{target.tensor}.{op.lower()}")
        self.add_operation(section, op, inputs, inner, **attributes)
        if activation == "swish":
            gate = replace(target, tensor=f"{target.tensor}.sigmoid")
            self.add_operation(section, "Sigmoid", [inner.tensor], gate)
            return self.add_operation(section, "Mul", [inner.tensor, gate.tensor], target)
        function, parameters = ACTIVATIONS[activation]
        return self.add_operation(section, function, [inner.tensor], target, **parameters)
