"""Searches the plan that ends a frame alone soonest on the devices that are there. Pure and deterministic.

Candidates are whole frames; tiles of one stage that idle devices steal, at several grids and cuts; and stages of tiles
that the gateway assigns, for all devices or the fastest of them only, in rows by speed or in rows and columns. Each is
predicted from measured speeds and links. Devices that would only hold up the others are left out, and those that
cannot hold a plan; a row that does not fit a device's memory becomes smaller, and those of the others larger. Sources
of the idea: AOFL (Zhou et al., SEC 2019) and DPFP, dynamic programming over fused layers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gateway.planning.memory_fit import explain_shortfall, short_devices, smaller_shares
from gateway.planning.methods import Method, chained_stages
from gateway.planning.plan_prediction import (
    PlanPrediction,
    costs_of_stages,
    layer_weight_bytes,
    predict_plan,
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
"""Cuts that are predicted in full for each grid: those that a simpler prediction finds best, of all, and of those whose
weights the smallest device can hold."""

MEMORY_TRIES = 4
"""Rows are made smaller so often, until each device can hold its own."""

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
    different = {(str(candidate), candidate.devices): candidate for candidate in found}
    return PlanSearch(tuple(sorted(different.values(), key=_sooner)))


def _whole(network: Network, cluster: ClusterProfile) -> PlanCandidate:
    stages = (whole_stage(network),)
    return _usable(Method.WHOLE, network, stages, cluster)


def _usable(
    method: Method, network: Network, stages: tuple[Stage, ...], cluster: ClusterProfile, shares: tuple[float, ...] = ()
) -> PlanCandidate:
    """Return the prediction of a plan for the devices that can hold it; it is refused if the owner cannot, or none."""
    costs = costs_of_stages(network, stages)
    short = short_devices(method, costs, cluster)
    fitting = cluster.without(short)
    enough = len(fitting.devices) >= (1 if method is Method.WHOLE else 2)
    if short and not method.distribution.by_gateway and enough and cluster.owner not in short:
        cluster, short = fitting, ()
    names = tuple(device.name for device in cluster.devices)
    refused = explain_shortfall(method, costs, cluster) if short else ""
    return PlanCandidate(method, stages, names, predict_plan(method, costs, cluster), shares, refused)


def _sooner(candidate: PlanCandidate) -> tuple[bool, float]:
    """Return the order of candidates: those that can be run first, then by the end of a frame alone."""
    return bool(candidate.refused), candidate.prediction.latency_s


def _stolen(
    network: Network, cluster: ClusterProfile, cut: Sequence[str], grid: Grid | None
) -> Iterator[PlanCandidate]:
    """Yield tiles of one stage for each grid, at the best of its cuts."""
    count_of_devices = len(cluster.devices)
    for tried in [grid] if grid else _grids(count_of_devices * tiles for tiles in STOLEN_TILES):
        predicted = [
            _usable(Method.WST, network, (partition(network, maps, tried, balanced=True),), cluster)
            for maps in ([tuple(cut)] if cut else _likely_cuts(network, cluster, tried))
        ]
        if predicted:
            yield min(predicted, key=_sooner)


def _likely_cuts(network: Network, cluster: ClusterProfile, grid: Grid) -> list[tuple[str, ...]]:
    """Return the cuts with the shortest frames by a simpler prediction: no waiting, all devices equally busy."""
    speed = sum(device.macs_per_s for device in cluster.devices)
    seconds = {
        cost.maps: cost.tiled_macs / speed
        + cost.tail_macs / cluster.gateway.macs_per_s
        + cluster.map_scale * cost.crossing_bytes / cluster.gateway.bytes_per_s
        for cost in cut_costs(network, grid)
    }
    return _best_cuts(network, cluster, sorted(seconds, key=lambda maps: seconds[maps]))


def _best_cuts(network: Network, cluster: ClusterProfile, cuts: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Return the first of these cuts, and the first of those whose weights the smallest device can hold."""
    smallest = min((device.memory_bytes for device in cluster.devices if device.memory_bytes), default=0)
    fitting = [maps for maps in cuts if smallest and _head_weights(network, maps) < smallest]
    return list(dict.fromkeys([*cuts[:CUTS_OF_GRID], *fitting[:CUTS_OF_GRID]]))


def _head_weights(network: Network, maps: Sequence[str]) -> int:
    return sum(layer_weight_bytes(layer) for layer in network.head_layers(maps))


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
            best = min(_ways(network, devices, wanted, cut), key=_sooner, default=None)
            if best is not None:
                yield best
    short = _without_weights(network, cluster)
    if grid is None and short and cluster.owner not in short and len(cluster.devices) - len(short) > 1:
        yield from _staged(network, cluster.without(short), cut, grid)


def _without_weights(network: Network, cluster: ClusterProfile) -> tuple[str, ...]:
    """Return the smallest devices, if they cannot hold all weights that can be divided: the others may cut deeper."""
    known = [device.memory_bytes for device in cluster.devices if device.memory_bytes]
    smallest = min(known, default=0)
    if not known or smallest >= _head_weights(network, possible_cuts(network)[-1].maps):
        return ()
    return tuple(device.name for device in cluster.devices if device.memory_bytes == smallest)


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
    """Yield the stages up to the cuts at which a frame is predicted to end soonest.

    Where each device computes one tile, these are as large as fits its speed; in rows and columns, equal ones are tried
    as well, because halos differ there.
    """
    total = macs_of(network, network.layers)
    if len(set(cluster.devices)) < grid.count:
        yield from _ways_with(network, cluster, grid, cut, ())
        return
    yield from _ways_with(network, cluster, grid, cut, fitted_shares(cluster, total))
    if min(grid.rows, grid.columns) > 1:
        yield from _ways_with(network, cluster, grid, cut, ())


def _ways_with(
    network: Network, cluster: ClusterProfile, grid: Grid, cut: Sequence[str], shares: tuple[float, ...]
) -> Iterator[PlanCandidate]:
    """Yield these stages for tiles of these shares; equal ones without."""
    total = macs_of(network, network.layers)
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

    by_cut = {way.cuts[-1]: way for way in sorted(ways, key=lambda way: end_s(way.cuts[-1], way.seconds))}
    for maps in [last] if cut else _best_cuts(network, cluster, list(by_cut)):
        yield _fitted(network, cluster, by_cut[maps].cuts, grid, shares)


def _fitted(
    network: Network,
    cluster: ClusterProfile,
    cuts: Sequence[tuple[str, ...]],
    grid: Grid,
    shares: tuple[float, ...],
) -> PlanCandidate:
    """Return stages whose rows fit the memory of their devices, if that is possible."""
    for _ in range(MEMORY_TRIES):
        candidate = _usable(Method.STAGED, network, chained_stages(network, cuts, grid, shares), cluster, shares)
        if not candidate.refused or not shares:
            break
        smaller = smaller_shares(shares, costs_of_stages(network, candidate.stages), cluster)
        if smaller is None:
            break
        shares = smaller
    return candidate


def _grids(counts: Iterator[int] | Sequence[int]) -> list[Grid]:
    """Return the grids with these numbers of tiles: rows only, and as square as possible."""
    grids = []
    for count in counts:
        rows = max(rows for rows in range(1, count + 1) if count % rows == 0 and rows * rows <= count)
        grids += [Grid(count, 1), *([Grid(rows, count // rows)] if rows > 1 else [])]
    return list(dict.fromkeys(grids))
