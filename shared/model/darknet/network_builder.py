"""A Darknet network on its way to ONNX: the maps made so far, and how layers refer to them and add to them."""

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
"""Those of one operation; linear has none, swish two."""


class NetworkBuilder:
    """What is built so far. Questions and additions raise ModelError about the section that they are for."""

    def __init__(self, image: DarknetMap, weights: DarknetWeights) -> None:
        self.image = image
        self.weights = weights
        self.graph = OnnxGraph(image)
        self._maps: list[DarknetMap | None] = []

    def end_layer(self, made: DarknetMap | None) -> None:
        """Count one layer of Darknet's, and the map that it has made, if any."""
        self._maps.append(made)

    def previous_map(self, section: DarknetSection) -> DarknetMap:
        """The map that the layer before this one has made; the image, for the first."""
        source = self._maps[-1] if self._maps else self.image
        if source is None:
            raise section.error(
                "follows a detection layer, which makes no map; put a [route] to an earlier one between"
            )
        return source

    def earlier_maps(self, section: DarknetSection, key: str) -> list[DarknetMap]:
        """The maps of the layers that `key` numbers, from the first or, if negative, backwards from this one."""
        maps = []
        for index in section.get_ints(key):
            number = index + len(self._maps) if index < 0 else index
            source = self._maps[number] if 0 <= number < len(self._maps) else None
            if source is None:
                raise section.error("must name layers before this one, and none that only detects", key)
            maps.append(source)
        return maps

    def add_operation(
        self, section: DarknetSection, op: str, inputs: Sequence[str], target: DarknetMap, **attributes: NodeAttribute
    ) -> DarknetMap:
        """Add an operation that makes `target`, which is returned."""
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
        """The same with an activation behind it. Between the two is the tensor `layer_NN.conv`, if `op` is Conv."""
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
