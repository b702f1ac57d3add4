"""A Darknet network on its way to ONNX: the maps made so far, and how layers refer to them and add to them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from shared.model.darknet.config import LARGEST_NUMBER
from shared.model.darknet.graph import Graph, Map

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.model.darknet.config import Section
    from shared.model.darknet.graph import Attribute
    from shared.model.darknet.weights import Weights

ACTIVATIONS: dict[str, tuple[str, dict[str, Attribute]]] = {
    "leaky": ("LeakyRelu", {"alpha": 0.1}),
    "logistic": ("Sigmoid", {}),
    "mish": ("Mish", {}),
    "relu": ("Relu", {}),
}
"""Those of one operation; linear has none, swish two."""


class Build:
    """What is built so far. Questions and additions raise ModelError about the section that they are for."""

    def __init__(self, image: Map, weights: Weights) -> None:
        self.image = image
        self.weights = weights
        self.graph = Graph(image)
        self._maps: list[Map | None] = []

    def end_layer(self, made: Map | None) -> None:
        """Count one layer of Darknet's, and the map that it has made, if any."""
        self._maps.append(made)

    def previous(self, section: Section) -> Map:
        """The map that the layer before this one has made; the image, for the first."""
        source = self._maps[-1] if self._maps else self.image
        if source is None:
            raise section.error(
                "follows a detection layer, which makes no map; put a [route] to an earlier one between"
            )
        return source

    def earlier(self, section: Section, key: str) -> list[Map]:
        """The maps of the layers that `key` numbers, from the first or, if negative, backwards from this one."""
        maps = []
        for index in section.wholes(key):
            number = index + len(self._maps) if index < 0 else index
            source = self._maps[number] if 0 <= number < len(self._maps) else None
            if source is None:
                raise section.error("must name layers before this one, and none that only detects", key)
            maps.append(source)
        return maps

    def add(self, section: Section, op: str, inputs: Sequence[str], target: Map, **attributes: Attribute) -> Map:
        """Add an operation that makes `target`, which is returned."""
        if not all(1 <= size <= LARGEST_NUMBER for size in target.shape):
            raise section.error(
                f"would make a map of {target.channels} channels and {target.height} x {target.width} cells; "
                "correct its keys, or width and height of [net]"
            )
        self.graph.node(op, inputs, target.tensor, target.shape, attributes)
        return target

    def add_activated(
        self, section: Section, op: str, inputs: Sequence[str], target: Map, activation: str, **attributes: Attribute
    ) -> Map:
        """The same with an activation behind it. Between the two is the tensor `layer_NN.conv`, if `op` is Conv."""
        if activation == "linear":
            return self.add(section, op, inputs, target, **attributes)
        if activation != "swish" and activation not in ACTIVATIONS:
            known = ", ".join(sorted([*ACTIVATIONS, "linear", "swish"]))
            raise section.error(f"is not supported; these are: {known}", "activation")
        inner = replace(target, tensor=f"{target.tensor}.{op.lower()}")
        self.add(section, op, inputs, inner, **attributes)
        if activation == "swish":
            gate = replace(target, tensor=f"{target.tensor}.sigmoid")
            self.add(section, "Sigmoid", [inner.tensor], gate)
            return self.add(section, "Mul", [inner.tensor, gate.tensor], target)
        function, parameters = ACTIVATIONS[activation]
        return self.add(section, function, [inner.tensor], target, **parameters)
