"""Backward propagation: from regions of the maps at a cut to the regions that they need of every earlier map."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

from shared.ftp.operators import SPREADING, axes_of_layer, cell_constants
from shared.ftp.region import Region
from shared.ftp.stage import NO_PADS, Edge, Pads

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from shared.model.arrays import Shape
    from shared.model.network import Layer, Network


@dataclass(frozen=True, slots=True)
class TileRegions:
    """The regions of one tile.

    `boxes` has, by map, the region that the tile holds: the smallest one that contains what all its readers need.
    `wants` has, by edge of the graph, the region that this reader needs; it may extend beyond the map's border.
    `made` has the regions of maps whose layers produce more than is needed; the rest is cropped. `own` has the regions
    of maps that the tile computes only in part, because it takes the rest from its neighbours.
    """

    boxes: Mapping[str, Region]
    wants: Mapping[Edge, Region]
    made: Mapping[str, Region]
    own: Mapping[str, Region]

    @property
    def computed(self) -> Mapping[str, Region]:
        """Return the region of every map that the tile computes."""
        return {**self.boxes, **self.own}


class Propagation:
    """Backward propagation through the layers of a network, for any number of tiles and cuts."""

    def __init__(self, network: Network, layers: Sequence[Layer], inputs: Sequence[str] = ()) -> None:
        self._inputs = tuple(inputs) or (network.input,)
        self._layers = layers
        self._sizes = {tensor: shape[2:] for tensor, shape in network.shapes.items() if len(shape) == 4}
        self._axes = {layer.name: axes_of_layer(layer, network.shapes) for layer in layers}
        self._reads = {layer.name: tuple({*layer.inputs, *cell_constants(layer)}) for layer in layers}

    def propagate(
        self,
        outputs: Mapping[str, Region],
        count: int | None = None,
        reduce_box: Callable[[Layer, Region], Region] | None = None,
    ) -> TileRegions:
        """Propagate regions of the maps at a cut back through the first `count` layers, in one pass.

        `reduce_box` returns the part of a layer's box that the tile must compute; without it, that is the whole box.
        """
        wanted: dict[str, dict[Edge, Region]] = defaultdict(dict)
        for tensor, region in outputs.items():
            wanted[tensor][Edge(tensor, None)] = region
        boxes: dict[str, Region] = {}
        made: dict[str, Region] = {}
        own: dict[str, Region] = {}
        for layer in reversed(self._layers[:count]):
            box = self._add_boxes(layer.outputs, wanted, boxes)
            if box is None:
                continue
            if reduce_box is not None and (part := reduce_box(layer, box)) != box:
                box = own[layer.outputs[0]] = part
            rows, columns = self._axes[layer.name]
            (top, bottom), (left, right) = (
                rows.input_range(box.top, box.bottom),
                columns.input_range(box.left, box.right),
            )
            needed = Region(top, left, bottom, right)
            for tensor in self._reads[layer.name]:
                wanted[tensor][Edge(tensor, layer.name)] = needed
            if layer.op in SPREADING:
                (top, bottom), (left, right) = rows.output_range(top, bottom), columns.output_range(left, right)
                made[layer.outputs[0]] = Region(top, left, bottom, right)
        for tensor in self._inputs:
            self._add_boxes([tensor], wanted, boxes)
        wants = {edge: region for edges in wanted.values() for edge, region in edges.items()}
        return TileRegions(boxes, wants, made, own)

    def _add_boxes(
        self, tensors: Sequence[str], wanted: Mapping[str, Mapping[Edge, Region]], boxes: dict[str, Region]
    ) -> Region | None:
        """Add the box of a layer's outputs to `boxes` and return it; None when nobody reads them.

        It is the hull of the regions that their readers want. Layers are visited in reverse order, so all readers have
        been visited.
        """
        regions = [
            region.clip(*self._sizes[name]) for name in tensors if name in wanted for region in wanted[name].values()
        ]
        if not regions:
            return None
        box = reduce(Region.hull, regions)
        boxes.update(dict.fromkeys(tensors, box))
        return box


def pads_of(layers: Sequence[Layer], regions: TileRegions) -> dict[Edge, Pads]:
    """Return, by edge, the cells to add to the box of its map or to crop from it; edges are in a fixed order."""
    constants = {name: shape for layer in layers for name, shape in cell_constants(layer).items()}
    pads: dict[Edge, Pads] = {}
    for edge, region in regions.wants.items():
        if edge.tensor in constants:
            pads[edge] = _crop_of_constant(constants[edge.tensor], region)
        else:
            pads[edge] = _pads(regions.boxes[edge.tensor], region)
    for layer in layers:
        if layer.op in SPREADING:
            (tensor,) = layer.outputs
            pads[Edge(tensor, layer.name)] = _pads(regions.made[tensor], regions.own.get(tensor, regions.boxes[tensor]))
    return {edge: pads[edge] for edge in sorted(pads, key=lambda edge: (edge.layer or "", edge.tensor))}


def _pads(box: Region, region: Region) -> Pads:
    """Return the pads that turn the computed `box` into `region`, which may extend beyond the border."""
    return (
        box.top - region.top,
        box.left - region.left,
        region.bottom - box.bottom,
        region.right - box.right,
    )


def _crop_of_constant(shape: Shape, region: Region) -> Pads:
    """Return the pads that crop a constant by row, by column or by cell to `region`."""
    top, left, bottom, right = _pads(Region.whole(*shape[2:]), region)
    rows, columns = shape[2] > 1, shape[3] > 1
    return (top * rows, left * columns, bottom * rows, right * columns)


def edges_of(pads: Sequence[Mapping[Edge, Pads]]) -> tuple[Edge, ...]:
    """Return the edges at which any tile has pads or crops; `pads` has those of each tile, as pads_of gives them."""
    return tuple(edge for edge in pads[0] if any(of_tile[edge] != NO_PADS for of_tile in pads))
