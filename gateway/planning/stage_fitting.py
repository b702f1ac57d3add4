"""Fits stages of tiles to the devices that are there: a tile for each, so large that all end at the same time. Pure.

A frame alone should end soon, and of several at once each should keep the devices busy for a short time. More stages
have less halo and more exchanges. A frame alone waits for these; beside other frames, devices compute meanwhile.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from operator import truediv
from statistics import fmean
from typing import TYPE_CHECKING

from gateway.planning.methods import chained_stages
from gateway.planning.plan_prediction import PlanPrediction, costs_of_stages, predict_assigned
from gateway.planning.profiles import EXCHANGE_COST, TILE_COST, fitted_shares, usable_shares
from gateway.planning.stage_choice import StageTerms, fits_maps, stage_ways
from shared.ftp.grid import grids_of
from shared.ftp.macs import macs_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.planning.plan_prediction import DivisionCosts
    from gateway.planning.profiles import ClusterProfile, DeviceProfile
    from shared.ftp.grid import Grid
    from shared.ftp.stage import Stage
    from shared.model.network import Network

FITTING_ROUNDS = 5
"""Sizes are fitted so often to what tiles of the sizes before cost, halos included. After that, bounds of tiles go
back and forth by a cell; the best sizes count."""

NOISE = 0.15
"""The part by which measured speeds of equal devices differ: tiles of such sizes would hold up some of them."""


@dataclass(frozen=True, slots=True)
class FittedStages:
    """Stages with a tile for each of `devices`, in the order of the tiles; `shares` as in `partition`."""

    stages: tuple[Stage, ...]
    devices: tuple[str, ...]
    shares: tuple[float, ...]
    prediction: PlanPrediction

    @property
    def cost(self) -> float:
        """Return what should be small, see `cost_of_plan`."""
        return cost_of_plan(self.prediction)


def fit_stages(network: Network, cluster: ClusterProfile, cut: Sequence[str]) -> FittedStages:
    """Return the stages up to `cut` with a tile for each device for which `cost_of_plan` is the smallest.

    Tiles are in rows, or in rows and columns, those of the fastest devices first. Raises CutError; ConfigurationError
    if the maps at `cut` cannot be divided for so many devices.
    """
    by_speed = sorted(cluster.devices, key=lambda device: (-device.macs_per_s, device.name))
    cluster = replace(cluster, devices=tuple(by_speed))
    speeds = [device.macs_per_s for device in by_speed]
    link = min(device.bytes_per_s for device in by_speed) / cluster.map_scale
    one = StageTerms(sum(speeds) / len(speeds), link)
    many = replace(one, bytes_per_s=math.inf, exchange_s=0.0)
    *grids, squarest = grids_of(len(by_speed))
    usable = [*(grid for grid in grids if fits_maps(network, tuple(cut), grid)), squarest]
    fitted = (_fit_grid(network, cluster, cut, grid, terms) for grid in usable for terms in (one, many))
    return min(fitted, key=lambda each: each.cost)


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


def _fit_grid(
    network: Network, cluster: ClusterProfile, cut: Sequence[str], grid: Grid, terms: StageTerms
) -> FittedStages:
    """Return the stages of a grid: each round fits the sizes to what tiles of the sizes before cost."""
    shares = fitted_shares(cluster, macs_of(network, network.head_layers(cut)))
    names = tuple(device.name for device in cluster.devices)
    found = []
    for _ in range(FITTING_ROUNDS):
        cuts = stage_ways(network, cut, grid, shares, terms)[-1].cuts
        stages = chained_stages(network, cuts, grid, shares)
        costs = costs_of_stages(network, stages)
        found.append(FittedStages(stages, names, shares, predict_assigned(costs, cluster)))
        shares = balanced_shares(shares, costs, cluster)
    return min(found, key=lambda each: each.cost)


def balanced_shares(shares: Sequence[float], costs: DivisionCosts, cluster: ClusterProfile) -> tuple[float, ...]:
    """Return the shares with which all devices should end at the same time, by what tiles of these shares cost.

    What a device does for a frame besides computing does not become less with its share.
    """
    stages = range(len(costs.tiles))
    exchanges = EXCHANGE_COST * sum(1 for strips in costs.strips if strips)
    besides = [TILE_COST + exchanges + extra for extra in cluster.besides]
    per_share = [
        max(1.0, sum(costs.of_tile(stage, tile, device) for stage in stages)) / share
        for tile, (device, share) in enumerate(zip(cluster.devices, shares, strict=True))
    ]
    speeds = [device.macs_per_s for device in cluster.devices]
    seconds = (1 + sum(map(truediv, besides, per_share))) / sum(map(truediv, speeds, per_share))
    return usable_shares(
        [(speed * seconds - extra) / cost for speed, extra, cost in zip(speeds, besides, per_share, strict=True)]
    )


def cost_of_plan(prediction: PlanPrediction) -> float:
    """Return what stages should make small: a frame's latency, times the seconds that it keeps the busiest device."""
    return prediction.latency_s / prediction.frames_per_s
