"""A network as a graph of layers: pure data, no weights, no file format."""

from __future__ import annotations

from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cached_property
from typing import TYPE_CHECKING

from shared.errors import CutError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from shared.model.arrays import Shape

SLIDING = frozenset(["AveragePool", "Conv", "ConvTranspose", "MaxPool"])
"""Operators that slide a kernel over the map."""

Attribute = int | float | str | tuple[int, ...] | tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Layer:
    """One operation. `inputs` and `outputs` name tensors; `constants` are the shapes of its constants by name.

    `attributes` are those of the ONNX operator, with explicit paddings; constant inputs with the geometry (such as the
    `starts` of a Slice) are attributes too.
    """

    name: str
    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Attribute]
    constants: Mapping[str, Shape]


@dataclass(frozen=True)
class Network:
    """Layers in topological order, one input image, and the known shapes of tensors (N, C, H, W; N = 1).

    `types` are numpy's names of element types; a tensor that is missing there is float32.
    """

    name: str
    input: str
    outputs: tuple[str, ...]
    layers: tuple[Layer, ...]
    shapes: Mapping[str, Shape]
    types: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def producers(self) -> Mapping[str, Layer]:
        return {tensor: layer for layer in self.layers for tensor in layer.outputs}

    @property
    def input_size(self) -> tuple[int, int]:
        """Return (height, width) of the input, in pixels."""
        shape = self.shapes[self.input]
        return shape[2], shape[3]

    def find_tensor(self, name: str) -> str:
        """Return the tensor with this name, or the output of the layer with this name. Raises CutError."""
        if name in self.producers:
            return name
        made = next((layer.outputs for layer in self.layers if layer.name == name), ())
        if len(made) == 1:
            return made[0]
        near = get_close_matches(name, self.producers, 4, 0.6) or list(self.producers)[:4]
        raise CutError(f"{self.name} has no layer {name!r} to cut behind; its layers include {', '.join(near)}")

    def head_layers(self, cut: Iterable[str]) -> tuple[Layer, ...]:
        """Return the layers needed to compute the tensors of `cut`, in topological order.

        Raises CutError for a tensor that is unknown, not float32, or made by no layer, and for a cut at which layers
        behind it also need other tensors of the head.
        """
        cut = tuple(cut)
        for tensor in cut:
            self.find_tensor(tensor)
            if self.types.get(tensor, "float32") != "float32":
                raise CutError(
                    f"{self.name}: {tensor} is {self.types[tensor]}, but maps at a cut must be float32; "
                    "cut behind the layer that makes it float32 again"
                )
        wanted, head = set(cut), []
        for layer in reversed(self.layers):
            if wanted.intersection(layer.outputs):
                head.append(layer)
                wanted.update(layer.inputs)
        head.reverse()
        self._refuse_leaks(cut, head)
        return tuple(head)

    def layers_between(self, after: Iterable[str], cut: Iterable[str]) -> tuple[Layer, ...]:
        """Return the layers between the cuts `after` (the input if empty) and `cut`. Raises CutError as head_layers."""
        after, cut = tuple(after), tuple(cut)
        before = {layer.name for layer in self.head_layers(after)} if after else set()
        head = self.head_layers(cut)
        if not before <= {layer.name for layer in head}:
            raise CutError(f"{self.name}: the cut {','.join(cut)} is not behind {','.join(after)}")
        return tuple(layer for layer in head if layer.name not in before)

    def _refuse_leaks(self, cut: tuple[str, ...], head: list[Layer]) -> None:
        """Raise CutError if layers behind the cut read other tensors of the head than those at the cut."""
        inside = {tensor for layer in head for tensor in layer.outputs} | {self.input}
        names = {layer.name for layer in head}
        used_behind = {tensor for layer in self.layers if layer.name not in names for tensor in layer.inputs}
        leaks = (used_behind | set(self.outputs)) & inside - set(cut)
        if leaks:
            together = ",".join([*cut, *sorted(leaks - {self.input})])
            raise CutError(
                f"{self.name}: layers behind the cut {','.join(cut)} also need {', '.join(sorted(leaks))}; "
                f"cut behind all of them together ({together}) or elsewhere"
            )
