"""Costs of divisions by their definitions: one tile, one layer and one map at a time."""

from __future__ import annotations

from itertools import pairwise
from math import prod

from gateway.planning.kernel_costs import cost_of_work, unit_costs, work_of_layer
from gateway.planning.plan_prediction import DivisionCosts
from shared.errors import CutError
from shared.ftp.costs import map_bytes, working_bytes_of_tiles
from shared.ftp.cuts import layer_cuts
from shared.ftp.propagation import Propagation


def boxes_of(network, stage):
    """By tile of a stage, the regions that it reads or computes of every map."""
    propagation = Propagation(network, stage.layers, stage.inputs)
    return [propagation.propagate(dict(zip(stage.cut, tile.outputs, strict=True))).boxes for tile in stage.tiles]


def cuts_up_to(network, cut, grid):
    """The cuts between layers that a grid can divide; `cut` is the last one."""
    try:
        *inner, last = layer_cuts(network, cut)
    except CutError:  # too many maps cross every cut
        return [tuple(cut)]
    return [*(maps for maps in inner if fits(network, maps, grid)), last]


def fits(network, maps, grid):
    return all(network.shapes[name][2] >= grid.rows and network.shapes[name][3] >= grid.columns for name in maps)


def works(network, layers, boxes):
    """The work of the layers of a tile, by kind."""
    total = [0.0] * len(unit_costs({}))
    for layer in layers:
        of_cell, fixed = work_of_layer(layer, network.shapes)
        area = boxes[layer.outputs[0]].area
        total = [units + cell * area + more for units, cell, more in zip(total, of_cell, fixed, strict=True)]
    return tuple(total)


def received(network, before, stage):
    """By giving and taking tile, the bytes that the taker reads of what the giver has made in the stage before."""
    found = {}
    for taker in stage.tiles:
        needed = dict(zip(stage.inputs, taker.inputs, strict=True))
        for giver in before.tiles:
            common = [(name, needed[name].overlap(made)) for name, made in zip(before.cut, giver.outputs, strict=True)]
            count = sum(map_bytes(network, name, region) for name, region in common if region)
            if giver.index != taker.index and count:
                found[giver.index, taker.index] = count
    return found


def plain_costs(network, stages):
    """The costs of stages of tiles and of the layers behind them."""
    usual = unit_costs({})
    fused = {layer.name for stage in stages for layer in stage.layers}
    work = tuple(
        tuple(works(network, stage.layers, boxes) for boxes in boxes_of(network, stage)) for stage in stages
    )  # fmt: skip
    behind = [layer for layer in network.layers if layer.name not in fused]
    whole = {name: _Whole(*shape[2:]) for name, shape in network.shapes.items() if len(shape) == 4}
    tail_work = works(network, [layer for layer in behind if layer.outputs[0] in whole], whole)
    last = stages[-1]
    return DivisionCosts(
        tiles=tuple(tuple(cost_of_work(of_tile, usual) for of_tile in of_stage) for of_stage in work),
        strips=({}, *(received(network, before, stage) for before, stage in pairwise(stages))),
        pixel_bytes=tuple(3 * tile.inputs[0].area for tile in stages[0].tiles),
        result_bytes=tuple(
            sum(map_bytes(network, name, region) for name, region in zip(last.cut, tile.outputs, strict=True))
            for tile in last.tiles
        ),
        tail=cost_of_work(tail_work, usual),
        tile_bytes=tuple(map(max, zip(*(working_bytes_of_tiles(network, stage) for stage in stages), strict=True))),
        weight_bytes=4 * sum(_numbers(layer) for stage in stages for layer in stage.layers),
        work=work,
        tail_work=tail_work,
        tile_macs=tuple(
            sum(tile.macs for tile in of_stages) for of_stages in zip(*(stage.tiles for stage in stages), strict=True)
        ),
    )


class _Whole:
    """A whole map as a region."""

    def __init__(self, height, width):
        self.area = height * width


def _numbers(layer):
    return sum(prod(shape) for shape in layer.constants.values())
