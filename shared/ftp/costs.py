"""Costs of layers and tiles: multiply-accumulate operations (MACs), and bytes of memory.

Source: paper, section III-A, and its figures of memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from shared.ftp.macs import macs_per_cell
from shared.ftp.operators import POINTWISE
from shared.ftp.propagation import Propagation
from shared.ftp.region import Region

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from shared.ftp.stage import Stage
    from shared.model.network import Layer, Network

ELEMENT_BYTES = {"float32": 4, "float16": 2, "bfloat16": 2, "int32": 4, "float64": 8, "int64": 8}
"""Bytes of one element; types that are not listed have one."""


@dataclass(frozen=True, slots=True)
class LayerCost:
    """One layer of one tile, or of the whole map: multiply-accumulate operations, and bytes in memory."""

    layer: str
    op: str
    macs: int
    input_bytes: int
    output_bytes: int
    weight_bytes: int

    @property
    def bytes(self) -> int:
        """Return the bytes in use while the layer runs."""
        return self.input_bytes + self.output_bytes + self.weight_bytes


@dataclass(frozen=True, slots=True)
class StepMemory:
    """Bytes in use while one layer is computed, and the layers that work `in_place` on its output.

    `held_bytes` are those of maps that this layer does not read, but later ones or the tail do; a network without
    branches has none.
    """

    layer: str
    op: str
    in_place: tuple[str, ...]
    input_bytes: int
    output_bytes: int
    held_bytes: int
    weight_bytes: int

    @property
    def map_bytes(self) -> int:
        """Return the bytes of all maps, without the weights."""
        return self.input_bytes + self.output_bytes + self.held_bytes

    @property
    def bytes(self) -> int:
        return self.map_bytes + self.weight_bytes


def layer_costs(network: Network, layers: Sequence[Layer], boxes: Mapping[str, Region]) -> list[LayerCost]:
    """Return the cost of each layer when only the given region of every map is computed; `boxes` has it by tensor."""
    costs = []
    for layer in layers:
        box = boxes[layer.outputs[0]]
        costs.append(
            LayerCost(
                layer=layer.name,
                op=layer.op,
                macs=round(macs_per_cell(layer, network.shapes) * box.area),
                input_bytes=sum(map_bytes(network, tensor, boxes[tensor]) for tensor in set(layer.inputs)),
                output_bytes=sum(map_bytes(network, tensor, boxes[tensor]) for tensor in layer.outputs),
                weight_bytes=sum(4 * prod(shape) for shape in layer.constants.values()),
            )
        )
    return costs


def tile_costs(network: Network, stage: Stage) -> list[list[LayerCost]]:
    """Return, for every tile of a stage, the cost of each of its layers."""
    propagation = Propagation(network, stage.layers, stage.inputs)
    boxes = (propagation.propagate(dict(zip(stage.cut, tile.outputs, strict=True))).boxes for tile in stage.tiles)
    return [layer_costs(network, stage.layers, regions) for regions in boxes]


def working_bytes(network: Network, stage: Stage) -> int:
    """Return the bytes of input and output of the largest layer of all tiles; activations are computed in place.

    In a whole network, tensors of unknown shape are counted as 0 bytes.
    """
    return max(working_bytes_of_tiles(network, stage))


def working_bytes_of_tiles(network: Network, stage: Stage) -> tuple[int, ...]:
    """Return, for every tile, the bytes of input and output of its largest layer; see `working_bytes`."""
    if stage.whole:
        return (max(1, *(sum(tensor_bytes(network, name) for name in (*set(layer.inputs), *layer.outputs))
                         for layer in stage.layers)),)  # fmt: skip
    in_place = {layer.name for layer in stage.layers if layer.op in POINTWISE and len(layer.inputs) == 1}
    return tuple(
        max(
            (cost.input_bytes + cost.output_bytes for cost in costs if cost.layer not in in_place),
            default=max(cost.output_bytes for cost in costs),
        )
        for costs in tile_costs(network, stage)
    )


def tile_memory(network: Network, stage: Stage) -> list[list[StepMemory]]:
    """Return, for every tile of a stage, the memory of each step. Source: paper, section III-A, figure of memory."""
    propagation = Propagation(network, stage.layers, stage.inputs)
    steps = steps_in_place(network, stage.layers)
    boxes = (propagation.propagate(dict(zip(stage.cut, tile.outputs, strict=True))).boxes for tile in stage.tiles)
    return [_memory_of(network, stage, steps, regions) for regions in boxes]


def peak_bytes(steps: Sequence[StepMemory]) -> int:
    """Return the memory for one tile: the maps of the step that needs most for them, and the weights of all steps."""
    return max(step.map_bytes for step in steps) + sum(step.weight_bytes for step in steps)


def steps_in_place(network: Network, layers: Sequence[Layer]) -> list[tuple[Layer, ...]]:
    """Group each layer with the pointwise layers that read only its result and give a map of the same size."""
    steps: list[list[Layer]] = []
    step_of: dict[str, int] = {}
    for layer in layers:
        origins = {step_of.get(tensor) for tensor in layer.inputs}
        origin = origins.pop() if len(origins) == 1 else None
        sizes = {_whole_bytes(network, tensor) for tensor in (*layer.inputs, *layer.outputs)}
        if origin is None or len(sizes) > 1 or layer.op not in POINTWISE:
            origin = len(steps)
            steps.append([])
        steps[origin].append(layer)
        step_of.update(dict.fromkeys(layer.outputs, origin))
    return [tuple(step) for step in steps]


def _memory_of(
    network: Network, stage: Stage, steps: Sequence[Sequence[Layer]], boxes: Mapping[str, Region]
) -> list[StepMemory]:
    made = [{tensor for layer in step for tensor in layer.outputs} for step in steps]
    read = [{tensor for layer in step for tensor in layer.inputs} - own for step, own in zip(steps, made, strict=True)]
    # A map is held until the last step that reads it; maps at the cut until the end.
    last = {tensor: index for index, tensors in enumerate(read) for tensor in tensors}
    last.update(dict.fromkeys(stage.cut, len(steps)))
    alive = set(stage.inputs)
    memory = []
    for index, (first, *behind) in enumerate(steps):
        results = {tensor for tensor in made[index] if tensor in last}
        memory.append(
            StepMemory(
                layer=first.name,
                op=first.op,
                in_place=tuple(layer.name for layer in behind),
                input_bytes=sum(map_bytes(network, tensor, boxes[tensor]) for tensor in read[index]),
                output_bytes=sum(map_bytes(network, tensor, boxes[tensor]) for tensor in results),
                held_bytes=sum(map_bytes(network, tensor, boxes[tensor]) for tensor in alive - read[index]),
                weight_bytes=sum(4 * prod(shape) for layer in steps[index] for shape in layer.constants.values()),
            )
        )
        alive = {tensor for tensor in alive | results if last[tensor] > index}
    return memory


def _whole_bytes(network: Network, tensor: str) -> int:
    return map_bytes(network, tensor, Region.whole(*network.shapes[tensor][2:]))


def tensor_bytes(network: Network, tensor: str) -> int:
    """Return the bytes of a whole tensor of any rank, 0 when its shape is unknown."""
    shape = network.shapes.get(tensor)
    return 0 if shape is None else prod(shape) * ELEMENT_BYTES.get(network.types.get(tensor, "float32"), 1)


def map_bytes(network: Network, tensor: str, box: Region) -> int:
    """Return the bytes of a part of a map."""
    return network.shapes[tensor][1] * box.area * ELEMENT_BYTES.get(network.types.get(tensor, "float32"), 1)
