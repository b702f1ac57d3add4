"""Searches the plan that ends a frame alone soonest on the devices that are there. Pure and deterministic.

Candidates are whole frames; tiles of one stage that idle devices steal, at several grids and cuts; and stages of tiles
that the gateway assigns, for all devices or the fastest of them only, in rows or in rows and columns. Each is
predicted from measured speeds and links. Tiles in stages are fitted to their devices, see `stage_fitting`. Devices that
would only hold up the others are left out, and those that cannot hold a plan. Sources of the idea: AOFL (Zhou et al.,
SEC 2019) and DPFP, dynamic programming over fused layers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gateway.planning.divided_network import DividedNetwork
from gateway.planning.memory_fit import cuts_for_memory
from gateway.planning.methods import Method
from gateway.planning.plan_candidates import PlanOutlook
from gateway.planning.plan_prediction import costs_of_stages
from gateway.planning.stage_fitting import FRAME_ALONE, fit_tiles
from gateway.planning.tile_allocation import allocate_tiles
from shared.ftp.grid import grids_of
from shared.ftp.tiles import whole_stage

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gateway.planning.cut_regions import CutMaps, CutRegions
    from gateway.planning.plan_candidates import PlanCandidate
    from gateway.planning.profiles import ClusterProfile
    from shared.ftp.grid import Grid
    from shared.model.network import Network

GAIN_TO_DIVIDE = 0.85
"""Tiles must be predicted to take less than this part of a whole frame's time, to make a change worth it."""

STOLEN_TILES = (1, 2, 3)
"""Tiles of a frame for each device, with stealing: more of them are shared out more evenly, and have more halo."""

MOST_TILES_OF_DEVICE = 2
"""Tiles of a frame in stages for each device on average, at most: more of them fit unequal devices better, and have
more halo and more exchanges."""

MAX_PLANNED_DEVICES = 8
"""Devices that a frame is divided among at most: of more, the fastest."""


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


def search_plans(
    network: Network, cluster: ClusterProfile, *, cut: Sequence[str] = (), grid: Grid | None = None
) -> PlanSearch:
    """Predict all candidates for these devices. A `cut` or `grid` that is given is the only one that is considered.

    For eight devices and networks of 49 to 101 layers it takes 0.14 to 0.32 s of one core of an AMD EPYC.
    """
    cluster = cluster.fastest(MAX_PLANNED_DEVICES)
    outlooks = [PlanOutlook.of(Method.WHOLE, costs_of_stages(network, [whole_stage(network)]), cluster)]
    if len(cluster.devices) > 1:
        divided = DividedNetwork(network, cut)
        outlooks += _stolen(divided, cluster, grid)
        outlooks += _staged(divided, cluster, grid)
    found = [outlook.as_candidate(network) for outlook in outlooks]
    different = {(str(candidate), candidate.devices): candidate for candidate in found}
    return PlanSearch(tuple(sorted(different.values(), key=FRAME_ALONE.order)))


def _stolen(network: DividedNetwork, cluster: ClusterProfile, grid: Grid | None) -> Iterator[PlanOutlook]:
    """Yield tiles of one stage for each grid, at the best of its cuts."""
    count_of_devices = len(cluster.devices)
    grids = filter(network.can_divide, grids_of(*(count_of_devices * tiles for tiles in STOLEN_TILES)))
    for tried in [grid] if grid else grids:
        regions = network.balanced_tiles(tried)
        if regions is None:
            continue  # the grid that is given is too large
        predicted = [
            PlanOutlook.of(Method.WST, network.costs_of(regions, [maps]), cluster, (maps,), tried)
            for maps in _likely_cuts(network, cluster, regions)
        ]
        yield min(predicted, key=FRAME_ALONE.order)


def _likely_cuts(network: DividedNetwork, cluster: ClusterProfile, regions: CutRegions) -> list[CutMaps]:
    """Return the cuts with the shortest frames by a simpler prediction: no waiting, all devices equally busy."""
    speed = sum(device.macs_per_s for device in cluster.devices)
    seconds = {
        maps: tiled_macs / speed
        + network.head_costs(maps).tail_macs / cluster.gateway.macs_per_s
        + cluster.map_scale * network.head_costs(maps).map_bytes / cluster.gateway.bytes_per_s
        for maps, tiled_macs in network.tiled_macs(regions).items()
    }
    return cuts_for_memory(network, cluster, sorted(seconds, key=lambda maps: seconds[maps]))


def _staged(network: DividedNetwork, cluster: ClusterProfile, grid: Grid | None) -> Iterator[PlanOutlook]:
    """Yield stages of tiles for the fastest devices, by number of devices, in rows or in rows and columns.

    In rows and columns, a faster device may compute several tiles.
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
            best = min(fit_tiles(network, devices, wanted, FRAME_ALONE), key=FRAME_ALONE.order, default=None)
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
