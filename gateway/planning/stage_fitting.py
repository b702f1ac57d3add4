"""Fits stages of tiles to the devices that are there, in rounds: each by what the tiles of the round before cost. Pure.

All devices should end at the same time: halos count, exchanges, and what a frame costs a device besides its tiles. A
tile that its device cannot hold becomes smaller, and those of the others larger.

More stages have less halo and more exchanges. A frame alone waits for these; beside other frames, devices compute
meanwhile. What is best depends on the aim.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from operator import truediv
from statistics import fmean
from typing import TYPE_CHECKING

from gateway.planning.divided_network import DividedNetwork
from gateway.planning.memory_fit import cuts_for_memory, smaller_shares
from gateway.planning.methods import Method
from gateway.planning.plan_candidates import PlanOutlook
from gateway.planning.profiles import EXCHANGE_COST, TILE_COST, fitted_shares, usable_shares
from gateway.planning.stage_choice import StageTerms
from shared.errors import CutError
from shared.ftp.grid import grids_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from gateway.planning.cut_regions import CutMaps, CutRegions
    from gateway.planning.plan_candidates import PlanCandidate
    from gateway.planning.plan_prediction import DivisionCosts, PlanPrediction
    from gateway.planning.profiles import ClusterProfile, DeviceProfile
    from gateway.planning.stage_choice import StageWay
    from shared.ftp.grid import Grid
    from shared.model.network import Network

STAGE_CHOICES = 2
"""Stages are chosen for tiles by speed alone, and once more for fitted ones. With three choices, or with one for each
round, predictions are better by less than a thousandth on average. For several tiles of a device they are chosen once,
to save time: these are fitted less often."""

FITTING_ROUNDS = 2
"""The sizes in chosen stages are fitted so often to what tiles of the sizes before cost. After that, bounds of tiles go
back and forth by a cell; the best sizes count."""

MEMORY_TRIES = 4
"""Tiles are made smaller so often, until each device can hold its own."""

NOISE = 0.15
"""The part by which measured speeds of equal devices differ: tiles of such sizes would hold up some of them."""


@dataclass(frozen=True, slots=True)
class FittingAim:
    """The value that fitting makes small. `beside_others`: other frames are under way, so devices need not wait."""

    value: Callable[[PlanPrediction], float]
    beside_others: bool

    def order(self, plan: PlanOutlook | PlanCandidate) -> tuple[bool, float]:
        """Return the order of plans: those that can be run first, then by what should be small."""
        return bool(plan.refused), self.value(plan.prediction)


def latency_of_plan(prediction: PlanPrediction) -> float:
    """Return the seconds of a frame alone."""
    return prediction.latency_s


def cost_of_plan(prediction: PlanPrediction) -> float:
    """Return a frame's latency, times the seconds that it keeps the busiest device."""
    return prediction.latency_s / prediction.frames_per_s


FRAME_ALONE = FittingAim(latency_of_plan, beside_others=False)
"""A frame alone ends soon. Of many frames, method `auto` computes each on one device."""

ALL_FRAMES = FittingAim(cost_of_plan, beside_others=True)
"""A frame alone ends soon, and of several at once each keeps the devices busy for a short time: for a method that
divides them all."""


def fit_stages(
    network: Network, cluster: ClusterProfile, cut: Sequence[str], aim: FittingAim = ALL_FRAMES
) -> PlanCandidate:
    """Return the best stages up to `cut` with a tile for each device.

    Tiles are in rows, or in rows and columns, those of the fastest devices first. If no stages fit the memory of all
    devices, it is refused. Raises CutError; ConfigurationError if the maps at `cut` cannot be divided for so many
    devices.
    """
    by_speed = sorted(cluster.devices, key=lambda device: (-device.macs_per_s, device.name))
    cluster = replace(cluster, devices=tuple(by_speed))
    divided = DividedNetwork(network, cut)
    *grids, squarest = grids_of(len(by_speed))
    usable = [*filter(divided.can_divide, grids), squarest]
    fitted = (outlook for grid in usable for outlook in fit_tiles(divided, cluster, grid, aim))
    return min(fitted, key=aim.order).as_candidate(network)


def levelled_speeds(cluster: ClusterProfile) -> ClusterProfile:
    """Return a cluster in which devices that differ by no more than measurements do are equally fast."""
    groups: list[list[DeviceProfile]] = []
    for device in sorted(cluster.devices, key=lambda device: -device.macs_per_s):
        if groups and device.macs_per_s >= (1 - NOISE) * groups[-1][0].macs_per_s:
            groups[-1].append(device)
        else:
            groups.append([device])
    means = {device.name: fmean(each.macs_per_s for each in group) for group in groups for device in group}
    return replace(cluster, devices=tuple(replace(each, macs_per_s=means[each.name]) for each in cluster.devices))


def fit_tiles(network: DividedNetwork, cluster: ClusterProfile, grid: Grid, aim: FittingAim) -> Iterator[PlanOutlook]:
    """Yield stages of the tiles of a grid for devices in their order, round by round; none if no map is large enough.

    Where each device computes one tile, these begin as large as fits its speed; in rows and columns, equal ones are
    tried as well, because halos differ there. Where devices compute several, these begin equal. Raises
    ConfigurationError if the grid cannot divide a given cut.
    """
    several = len(set(cluster.devices)) < grid.count
    equal: list[tuple[float, ...]] = [()] if several or min(grid.rows, grid.columns) > 1 else []
    for shares in equal if several else [fitted_shares(cluster, network.macs), *equal]:
        for terms in _stage_terms(cluster, shares, aim):
            yield from _fit_in_rounds(network, cluster, grid, shares, terms, aim)


def _stage_terms(cluster: ClusterProfile, shares: Sequence[float], aim: FittingAim) -> list[StageTerms]:
    """Return the terms by which stages are chosen: exchanges take time, or only operations, too."""
    slowest = min(device.macs_per_s / cluster.devices.count(device) for device in cluster.devices)
    mean = fmean(device.macs_per_s for device in cluster.devices)
    link = min(device.bytes_per_s for device in cluster.devices) / cluster.map_scale
    alone = StageTerms(mean if shares else slowest, link)
    return [alone, replace(alone, bytes_per_s=math.inf, exchange_s=0.0)] if aim.beside_others else [alone]


def _fit_in_rounds(
    network: DividedNetwork,
    cluster: ClusterProfile,
    grid: Grid,
    shares: tuple[float, ...],
    terms: StageTerms,
    aim: FittingAim,
) -> Iterator[PlanOutlook]:
    """Yield stages up to the likeliest cuts, then those of fitted sizes up to the best one.

    Equal tiles, one for each device, stay equal: those that are fitted begin by speed.
    """
    one_each = len(set(cluster.devices)) == grid.count
    last: CutMaps = ()
    for _ in range(STAGE_CHOICES if one_each else 1):
        try:
            regions, ways = network.stage_ways(grid, shares, terms, last)
        except CutError:
            return
        likely = ways[-1:] if last else _likely_ways(network, cluster, ways)
        fitted = [_fit_memory(network, cluster, regions, way.cuts, grid, shares) for way in likely]
        yield from (outlook for outlook, _ in fitted)
        if not shares and one_each:
            return
        best, costs = min(fitted, key=lambda each: aim.order(each[0]))
        for _ in range(FITTING_ROUNDS):
            shares = balanced_shares(best.shares, costs, cluster)
            regions = network.divide_again(best.cuts, grid, shares)
            best, costs = _fit_memory(network, cluster, regions, best.cuts, grid, shares)
            yield best
        if best.refused:
            return  # mostly for its weights, which other stages up to this cut have, too
        last, shares = best.cuts[-1], balanced_shares(best.shares, costs, cluster)


def _likely_ways(network: DividedNetwork, cluster: ClusterProfile, ways: Sequence[StageWay]) -> list[StageWay]:
    """Return the stages up to the cuts at which a frame is predicted to end soonest."""

    def end_s(way: StageWay) -> float:
        head, gateway = network.head_costs(way.cuts[-1]), cluster.gateway
        sending_s = cluster.map_scale * head.map_bytes / gateway.bytes_per_s
        return way.seconds + sending_s + head.tail_macs / gateway.macs_per_s

    if network.given:
        return list(ways[-1:])
    by_cut = {way.cuts[-1]: way for way in sorted(ways, key=end_s)}
    return [by_cut[maps] for maps in cuts_for_memory(network, cluster, list(by_cut))]


def _fit_memory(
    network: DividedNetwork,
    cluster: ClusterProfile,
    regions: CutRegions,
    cuts: Sequence[CutMaps],
    grid: Grid,
    shares: tuple[float, ...],
) -> tuple[PlanOutlook, DivisionCosts]:
    """Return stages whose tiles fit the memory of their devices, if that is possible, and their costs."""
    for _ in range(MEMORY_TRIES):
        costs = network.costs_of(regions, cuts)
        outlook = PlanOutlook.of(Method.STAGED, costs, cluster, cuts, grid, shares)
        smaller = smaller_shares(shares, costs, cluster) if outlook.refused and shares else None
        if smaller is None:
            break
        shares = smaller
        regions = network.divide_again(cuts, grid, shares)
    return outlook, costs


def balanced_shares(shares: Sequence[float], costs: DivisionCosts, cluster: ClusterProfile) -> tuple[float, ...]:
    """Return the shares with which all devices should end at the same time, by what tiles of these shares cost.

    What a device does for a frame besides computing does not become less with its share. Tiles of one device keep
    their sizes relative to each other; without shares, all are equal.
    """
    sizes = usable_shares(shares or (1.0,) * len(cluster.devices))
    stages = range(len(costs.tiles))
    of_tile = TILE_COST + EXCHANGE_COST * sum(1 for strips in costs.strips if strips)
    tiles: dict[DeviceProfile, list[int]] = {}
    for tile, device in enumerate(cluster.devices):
        tiles.setdefault(device, []).append(tile)
    camera = dict(zip(cluster.devices, cluster.besides, strict=True))
    besides = [camera[device] + len(own) * of_tile for device, own in tiles.items()]
    before = {device: sum(sizes[tile] for tile in own) for device, own in tiles.items()}
    per_share = [
        max(1.0, sum(costs.of_tile(stage, tile, device) for stage in stages for tile in own)) / before[device]
        for device, own in tiles.items()
    ]
    speeds = [device.macs_per_s for device in tiles]
    seconds = (1 + sum(map(truediv, besides, per_share))) / sum(map(truediv, speeds, per_share))
    wanted = {
        device: (device.macs_per_s * seconds - extra) / cost
        for device, extra, cost in zip(tiles, besides, per_share, strict=True)
    }
    return usable_shares(
        [size * wanted[device] / before[device] for size, device in zip(sizes, cluster.devices, strict=True)]
    )
