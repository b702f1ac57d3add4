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

from gateway.planning.divided_network import DividedNetwork
from gateway.planning.memory_fit import explain_shortfall, short_devices, smaller_shares
from gateway.planning.methods import Method, chained_stages
from gateway.planning.plan_prediction import PlanPrediction, costs_of_stages, predict_plan
from gateway.planning.profiles import fitted_shares
from gateway.planning.stage_choice import StageTerms
from gateway.planning.tile_allocation import allocate_tiles
from shared.errors import CutError
from shared.ftp.grid import Grid, grids_of
from shared.ftp.tiles import partition, whole_stage

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gateway.planning.cut_regions import CutMaps, CutRegions
    from gateway.planning.plan_prediction import DivisionCosts
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

WHOLE_FRAME = Grid(1, 1)

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
class _Outlook:
    """A plan that was predicted, before its stages are made: the `cuts` at which they end, and as in a candidate."""

    method: Method
    devices: tuple[str, ...]
    prediction: PlanPrediction
    refused: str
    cuts: Sequence[CutMaps] = ()
    grid: Grid = WHOLE_FRAME
    shares: tuple[float, ...] = ()

    def as_candidate(self, network: Network) -> PlanCandidate:
        """Return the candidate, with its stages."""
        match self.method:
            case Method.WHOLE:
                stages: tuple[Stage, ...] = (whole_stage(network),)
            case Method.WST:
                stages = (partition(network, self.cuts[-1], self.grid, balanced=True),)
            case _:
                stages = chained_stages(network, self.cuts, self.grid, self.shares)
        return PlanCandidate(self.method, stages, self.devices, self.prediction, self.shares, self.refused)


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
    """Predict all candidates for these devices. A `cut` or `grid` that is given is the only one that is considered.

    For eight devices and networks of 55 to 101 layers it takes 0.12 to 0.16 s of one core of an AMD EPYC.
    """
    cluster = cluster.fastest(MAX_PLANNED_DEVICES)
    outlooks = [_usable(Method.WHOLE, costs_of_stages(network, [whole_stage(network)]), cluster)]
    if len(cluster.devices) > 1:
        divided = DividedNetwork(network, cut)
        outlooks += _stolen(divided, cluster, grid)
        outlooks += _staged(divided, cluster, grid)
    found = [outlook.as_candidate(network) for outlook in outlooks]
    different = {(str(candidate), candidate.devices): candidate for candidate in found}
    return PlanSearch(tuple(sorted(different.values(), key=_sooner)))


def _usable(method: Method, costs: DivisionCosts, cluster: ClusterProfile) -> _Outlook:
    """Return the prediction of a plan for the devices that can hold it; it is refused if the owner cannot, or none."""
    short = short_devices(method, costs, cluster)
    fitting = cluster.without(short)
    enough = len(fitting.devices) >= (1 if method is Method.WHOLE else 2)
    if short and not method.distribution.by_gateway and enough and cluster.owner not in short:
        cluster, short = fitting, ()
    names = tuple(device.name for device in cluster.devices)
    refused = explain_shortfall(method, costs, cluster) if short else ""
    return _Outlook(method, names, predict_plan(method, costs, cluster), refused)


def _sooner(plan: PlanCandidate | _Outlook) -> tuple[bool, float]:
    """Return the order of candidates: those that can be run first, then by the end of a frame alone."""
    return bool(plan.refused), plan.prediction.latency_s


def _stolen(network: DividedNetwork, cluster: ClusterProfile, grid: Grid | None) -> Iterator[_Outlook]:
    """Yield tiles of one stage for each grid, at the best of its cuts."""
    count_of_devices = len(cluster.devices)
    grids = filter(network.can_divide, grids_of(*(count_of_devices * tiles for tiles in STOLEN_TILES)))
    for tried in [grid] if grid else grids:
        regions = network.balanced_tiles(tried)
        if regions is None:
            continue  # the grid that is given is too large
        predicted = [
            replace(_usable(Method.WST, network.costs_of(regions, [maps]), cluster), cuts=(maps,), grid=tried)
            for maps in _likely_cuts(network, cluster, regions)
        ]
        yield min(predicted, key=_sooner)


def _likely_cuts(network: DividedNetwork, cluster: ClusterProfile, regions: CutRegions) -> list[CutMaps]:
    """Return the cuts with the shortest frames by a simpler prediction: no waiting, all devices equally busy."""
    speed = sum(device.macs_per_s for device in cluster.devices)
    seconds = {
        maps: tiled_macs / speed
        + network.head_costs(maps).tail_macs / cluster.gateway.macs_per_s
        + cluster.map_scale * network.head_costs(maps).map_bytes / cluster.gateway.bytes_per_s
        for maps, tiled_macs in network.tiled_macs(regions).items()
    }
    return _best_cuts(network, cluster, sorted(seconds, key=lambda maps: seconds[maps]))


def _best_cuts(network: DividedNetwork, cluster: ClusterProfile, cuts: Sequence[CutMaps]) -> list[CutMaps]:
    """Return the first of these cuts, and the first of those whose weights the smallest device can hold."""
    smallest = min((device.memory_bytes for device in cluster.devices if device.memory_bytes), default=0)
    fitting = [maps for maps in cuts if smallest and network.head_costs(maps).weight_bytes < smallest]
    return list(dict.fromkeys([*cuts[:CUTS_OF_GRID], *fitting[:CUTS_OF_GRID]]))


def _staged(network: DividedNetwork, cluster: ClusterProfile, grid: Grid | None) -> Iterator[_Outlook]:
    """Yield stages of tiles for the fastest devices, by number of devices, in rows by speed or in rows and columns.

    In rows and columns, where tiles are equal, a faster device computes several of them.
    """
    for count in range(2, len(cluster.devices) + 1):
        part = cluster.fastest(count)
        tried = [(wanted, part) for wanted in ([grid] if grid else grids_of(count)) if wanted.count == count]
        more = grids_of(_fitting_tiles(part, network.macs)) if grid is None else [grid]
        several = _with_several_tiles(part, more[-1].count, network.macs)
        if more[-1].count > count and len(set(several.devices)) == count:
            tried.append((more[-1], several))
        for wanted, devices in tried:
            if grid is None and not network.can_divide(wanted):
                continue  # there are more devices than the maps have rows
            best = min(_ways(network, devices, wanted), key=_sooner, default=None)
            if best is not None:
                yield best
    short = _without_weights(network, cluster)
    if grid is None and short and cluster.owner not in short and len(cluster.devices) - len(short) > 1:
        yield from _staged(network, cluster.without(short), grid)


def _without_weights(network: DividedNetwork, cluster: ClusterProfile) -> tuple[str, ...]:
    """Return the smallest devices, if they cannot hold all weights that can be divided: the others may cut deeper."""
    known = [device.memory_bytes for device in cluster.devices if device.memory_bytes]
    smallest = min(known, default=0)
    if not known or smallest >= network.head_costs(network.deepest.maps).weight_bytes:
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
    return min([fewest, *(count for count in more if len(grids_of(count)) > 1)], key=slowest_s)


def _with_several_tiles(cluster: ClusterProfile, count: int, total: float) -> ClusterProfile:
    """Return the devices tile by tile, each as often as it should compute one of so many equal tiles."""
    speeds = [device.macs_per_s for device in cluster.devices]
    places = allocate_tiles(count, speeds, cluster.besides, total / count)
    return replace(cluster, devices=tuple(cluster.devices[place] for place in places))


def _ways(network: DividedNetwork, cluster: ClusterProfile, grid: Grid) -> Iterator[_Outlook]:
    """Yield the stages up to the cuts at which a frame is predicted to end soonest.

    Where each device computes one tile, these are as large as fits its speed; in rows and columns, equal ones are tried
    as well, because halos differ there.
    """
    if len(set(cluster.devices)) < grid.count:
        yield from _ways_with(network, cluster, grid, ())
        return
    yield from _ways_with(network, cluster, grid, fitted_shares(cluster, network.macs))
    if min(grid.rows, grid.columns) > 1:
        yield from _ways_with(network, cluster, grid, ())


def _ways_with(
    network: DividedNetwork, cluster: ClusterProfile, grid: Grid, shares: tuple[float, ...]
) -> Iterator[_Outlook]:
    """Yield these stages for tiles of these shares; equal ones without."""
    slowest = min(device.macs_per_s / cluster.devices.count(device) for device in cluster.devices)
    mean = sum(device.macs_per_s for device in cluster.devices) / len(cluster.devices)
    terms = StageTerms(
        mean if shares else slowest, min(device.bytes_per_s for device in cluster.devices) / cluster.map_scale
    )
    try:
        regions, ways = network.stage_ways(grid, shares, terms)
    except CutError:
        return

    def end_s(maps: CutMaps, head_s: float) -> float:
        head, gateway = network.head_costs(maps), cluster.gateway
        return head_s + cluster.map_scale * head.map_bytes / gateway.bytes_per_s + head.tail_macs / gateway.macs_per_s

    by_cut = {way.cuts[-1]: way for way in sorted(ways, key=lambda way: end_s(way.cuts[-1], way.seconds))}
    for maps in [network.given] if network.given else _best_cuts(network, cluster, list(by_cut)):
        yield _fitted(network, cluster, regions, by_cut[maps].cuts, grid, shares)


def _fitted(
    network: DividedNetwork,
    cluster: ClusterProfile,
    regions: CutRegions,
    cuts: Sequence[CutMaps],
    grid: Grid,
    shares: tuple[float, ...],
) -> _Outlook:
    """Return stages whose rows fit the memory of their devices, if that is possible."""
    for _ in range(MEMORY_TRIES):
        costs = network.costs_of(regions, cuts)
        outlook = replace(_usable(Method.STAGED, costs, cluster), cuts=cuts, grid=grid, shares=shares)
        smaller = smaller_shares(shares, costs, cluster) if outlook.refused and shares else None
        if smaller is None:
            break
        shares = smaller
        regions = network.divide_again(cuts, grid, shares)
    return outlook
