"""Searches the plan that ends a frame alone soonest on the devices that are there. Pure and deterministic.

Candidates are whole frames; tiles of one stage that idle devices steal, at several grids and cuts; and stages of tiles
that the gateway assigns, for all devices or the fastest of them only, in rows by speed or in rows and columns. Each is
predicted from measured speeds and links. Devices that would only hold up the others are left out. Sources of the idea:
AOFL (Zhou et al., SEC 2019) and DPFP, dynamic programming over fused layers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gateway.planning.methods import Method, chained_stages
from gateway.planning.plan_prediction import (
    PlanPrediction,
    costs_of_stages,
    predict_assigned,
    predict_stolen,
    predict_whole,
)  # fmt: skip
from gateway.planning.profiles import OWNER_COST, fitted_shares
from gateway.planning.stage_choice import StageTerms, stage_ways
from gateway.planning.tile_allocation import allocate_tiles
from shared.errors import CutError
from shared.ftp.costs import map_bytes
from shared.ftp.cuts import cut_costs, possible_cuts
from shared.ftp.grid import Grid
from shared.ftp.macs import macs_of
from shared.ftp.region import Region
from shared.ftp.tiles import partition, whole_stage

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gateway.planning.profiles import ClusterProfile
    from shared.ftp.stage import Stage
    from shared.model.network import Network

GAIN_TO_DIVIDE = 0.85
"""Tiles must be predicted to take less than this part of a whole frame's time, to make a change worth it."""

STOLEN_TILES = (1, 2, 3)
"""Tiles of a frame for each device, with stealing: more of them are shared out more evenly, and have more halo."""

CUTS_OF_GRID = 3
"""Cuts that are predicted in full for each grid: those that a simpler prediction finds best."""

MOST_TILES_OF_DEVICE = 2
"""Tiles of a frame in stages for each device on average, at most: more of them fit unequal devices better, and have
more halo and more exchanges."""

MAX_PLANNED_DEVICES = 8
"""Devices that a frame is divided among at most: of more, the fastest."""


@dataclass(frozen=True, slots=True)
class PlanCandidate:
    """A plan that was considered, and what is predicted of it. `refused`: why it cannot be run, "" if it can.

    `devices` are the names of those that compute, in the order of their tiles; with assigned tiles, one that computes
    several is named for each. `shares` as in `partition`.
    """

    method: Method
    stages: tuple[Stage, ...]
    devices: tuple[str, ...]
    prediction: PlanPrediction
    shares: tuple[float, ...] = ()
    refused: str = ""

    @property
    def grid(self) -> Grid:
        """Return the grid of all stages."""
        return self.stages[-1].grid

    @property
    def cut(self) -> tuple[str, ...]:
        """Return the maps at the cut; of whole frames the outputs of the network."""
        return self.stages[-1].cut

    def __str__(self) -> str:
        """Return the plan in words."""
        return plan_words(self.method, self.stages, self.devices)


@dataclass(frozen=True, slots=True)
class PlanSearch:
    """All candidates, the one that ends a frame soonest first; those that cannot be run are last."""

    candidates: tuple[PlanCandidate, ...]

    @property
    def whole(self) -> PlanCandidate:
        """Return the candidate of whole frames."""
        return next(candidate for candidate in self.candidates if candidate.method is Method.WHOLE)

    @property
    def best_divided(self) -> PlanCandidate | None:
        """Return the candidate in tiles that ends a frame soonest; None when there is none that can be run."""
        usable = (candidate for candidate in self.candidates if not candidate.refused)
        return next((candidate for candidate in usable if candidate.method is not Method.WHOLE), None)


def plan_words(method: Method, stages: Sequence[Stage], devices: Sequence[str] = ()) -> str:
    """Return a plan in words. `devices`: those that its tiles are assigned to, tile by tile."""
    if method is Method.WHOLE:
        return "whole frames"
    last, count = stages[-1], len(set(devices))
    in_stages = f" in {len(stages)} stages" if len(stages) > 1 else ""
    several = method.distribution.by_gateway and 0 < count < last.grid.count
    on_devices = f" on {count} devices" if several else ""
    return f"{method} {last.grid}{on_devices}{in_stages} up to {', '.join(last.cut)}"


def search_plans(
    network: Network, cluster: ClusterProfile, *, cut: Sequence[str] = (), grid: Grid | None = None
) -> PlanSearch:
    """Predict all candidates for these devices. A `cut` or `grid` that is given is the only one that is considered."""
    cluster = cluster.fastest(MAX_PLANNED_DEVICES)
    found = [_whole(network, cluster)]
    if len(cluster.devices) > 1:
        found += _stolen(network, cluster, cut, grid)
        found += _staged(network, cluster, cut, grid)
    smallest = min((device.memory_bytes for device in cluster.devices if device.memory_bytes), default=0)
    checked = [_checked(candidate, smallest) for candidate in found]
    return PlanSearch(
        tuple(sorted(checked, key=lambda candidate: (bool(candidate.refused), candidate.prediction.latency_s)))
    )


def _whole(network: Network, cluster: ClusterProfile) -> PlanCandidate:
    stages = (whole_stage(network),)
    names = tuple(device.name for device in cluster.devices)
    return PlanCandidate(Method.WHOLE, stages, names, predict_whole(costs_of_stages(network, stages), cluster))


def _stolen(
    network: Network, cluster: ClusterProfile, cut: Sequence[str], grid: Grid | None
) -> Iterator[PlanCandidate]:
    """Yield tiles of one stage for each grid, at the best of its cuts."""
    names = tuple(device.name for device in cluster.devices)
    count_of_devices = len(cluster.devices)
    for tried in [grid] if grid else _grids(count_of_devices * tiles for tiles in STOLEN_TILES):
        predicted = []
        for maps in [tuple(cut)] if cut else _likely_cuts(network, cluster, tried):
            stages = (partition(network, maps, tried, balanced=True),)
            predicted.append((predict_stolen(costs_of_stages(network, stages), cluster), stages))
        if predicted:
            prediction, stages = min(predicted, key=lambda pair: pair[0].latency_s)
            yield PlanCandidate(Method.WST, stages, names, prediction)


def _likely_cuts(network: Network, cluster: ClusterProfile, grid: Grid) -> list[tuple[str, ...]]:
    """Return the cuts with the shortest frames by a simpler prediction: no waiting, all devices equally busy."""
    speed = sum(device.macs_per_s for device in cluster.devices)
    seconds = {
        cost.maps: cost.tiled_macs / speed
        + cost.tail_macs / cluster.gateway.macs_per_s
        + cluster.map_scale * cost.crossing_bytes / cluster.gateway.bytes_per_s
        for cost in cut_costs(network, grid)
    }
    return sorted(seconds, key=lambda maps: seconds[maps])[:CUTS_OF_GRID]


def _staged(
    network: Network, cluster: ClusterProfile, cut: Sequence[str], grid: Grid | None
) -> Iterator[PlanCandidate]:
    """Yield stages of tiles for the fastest devices, by number of devices, in rows by speed or in rows and columns.

    In rows and columns, where tiles are equal, a faster device computes several of them.
    """
    total = macs_of(network, network.layers)
    for count in range(2, len(cluster.devices) + 1):
        part = cluster.fastest(count)
        tried = [(wanted, part) for wanted in ([grid] if grid else _grids([count])) if wanted.count == count]
        more = _grids([_fitting_tiles(part, total)]) if grid is None else [grid]
        several = _with_several_tiles(part, more[-1].count, total)
        if more[-1].count > count and len(set(several.devices)) == count:
            tried.append((more[-1], several))
        for wanted, devices in tried:
            best = min(_ways(network, devices, wanted, cut), key=lambda way: way.prediction.latency_s, default=None)
            if best is not None:
                yield best


def _fitting_tiles(cluster: ClusterProfile, total: float) -> int:
    """Return the number of equal tiles in rows and columns that fits the speeds of the devices best.

    Of equally good ones it is the fewest; that of the devices when no other is better.
    """
    fewest = len(cluster.devices)

    def slowest_s(count: int) -> float:
        devices = _with_several_tiles(cluster, count, total).devices
        return max(devices.count(device) / device.macs_per_s for device in devices) / count

    more = range(fewest + 1, MOST_TILES_OF_DEVICE * fewest + 1)
    return min([fewest, *(count for count in more if len(_grids([count])) > 1)], key=slowest_s)


def _with_several_tiles(cluster: ClusterProfile, count: int, total: float) -> ClusterProfile:
    """Return the devices tile by tile, each as often as it should compute one of so many equal tiles."""
    besides = [OWNER_COST if device.name == cluster.owner else 0.0 for device in cluster.devices]
    speeds = [device.macs_per_s for device in cluster.devices]
    places = allocate_tiles(count, speeds, besides, total / count)
    return replace(cluster, devices=tuple(cluster.devices[place] for place in places))


def _ways(network: Network, cluster: ClusterProfile, grid: Grid, cut: Sequence[str]) -> Iterator[PlanCandidate]:
    """Yield the stages up to the cuts at which a frame is predicted to end soonest."""
    total = macs_of(network, network.layers)
    by_speed = min(grid.rows, grid.columns) == 1 and len(set(cluster.devices)) == grid.count
    shares = fitted_shares(cluster, total) if by_speed else ()
    slowest = min(device.macs_per_s / cluster.devices.count(device) for device in cluster.devices)
    mean = sum(device.macs_per_s for device in cluster.devices) / len(cluster.devices)
    terms = StageTerms(
        mean if shares else slowest, min(device.bytes_per_s for device in cluster.devices) / cluster.map_scale
    )
    last = tuple(cut) or possible_cuts(network)[-1].maps
    try:
        ways = stage_ways(network, last, grid, shares, terms)
    except CutError:
        return

    def end_s(maps: Sequence[str], head_s: float) -> float:
        sent = sum(map_bytes(network, name, Region.whole(*network.shapes[name][2:])) for name in maps)
        tail = total - macs_of(network, network.head_layers(maps))
        return head_s + cluster.map_scale * sent / cluster.gateway.bytes_per_s + tail / cluster.gateway.macs_per_s

    ways = ways[-1:] if cut else sorted(ways, key=lambda way: end_s(way.cuts[-1], way.seconds))[:CUTS_OF_GRID]
    names = tuple(device.name for device in cluster.devices)
    for way in ways:
        stages = chained_stages(network, way.cuts, grid, shares)
        prediction = predict_assigned(costs_of_stages(network, stages), cluster)
        yield PlanCandidate(Method.STAGED, stages, names, prediction, shares)


def _grids(counts: Iterator[int] | Sequence[int]) -> list[Grid]:
    """Return the grids with these numbers of tiles: rows only, and as square as possible."""
    grids = []
    for count in counts:
        rows = max(rows for rows in range(1, count + 1) if count % rows == 0 and rows * rows <= count)
        grids += [Grid(count, 1), *([Grid(rows, count // rows)] if rows > 1 else [])]
    return list(dict.fromkeys(grids))


def _checked(candidate: PlanCandidate, memory_bytes: int) -> PlanCandidate:
    """Refuse a candidate that does not fit the memory of the smallest device, 0: unknown."""
    missing = candidate.prediction.memory_bytes - memory_bytes
    if not memory_bytes or missing <= 0:
        return candidate
    return replace(
        candidate,
        refused=f"it needs {candidate.prediction.memory_bytes / 2**20:.0f} MiB of each device, "
        f"{missing / 2**20:.0f} MiB more than the smallest has",
    )
