"""Plans that are considered for some devices: what is predicted of each, and why one cannot be run. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from gateway.planning.memory_fit import explain_shortfall, short_devices
from gateway.planning.methods import Method, chained_stages
from gateway.planning.plan_prediction import PlanPrediction, predict_plan
from shared.ftp.grid import Grid
from shared.ftp.tiles import partition, whole_stage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.planning.cut_regions import CutMaps
    from gateway.planning.plan_prediction import DivisionCosts
    from gateway.planning.profiles import ClusterProfile
    from shared.ftp.stage import Stage
    from shared.model.network import Network

WHOLE_FRAME = Grid(1, 1)


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
class PlanOutlook:
    """A plan that was predicted, before its stages are made: the `cuts` at which they end, and as in a candidate."""

    method: Method
    devices: tuple[str, ...]
    prediction: PlanPrediction
    refused: str = ""
    cuts: Sequence[CutMaps] = ()
    grid: Grid = WHOLE_FRAME
    shares: tuple[float, ...] = ()

    @classmethod
    def of(
        cls,
        method: Method,
        costs: DivisionCosts,
        cluster: ClusterProfile,
        cuts: Sequence[CutMaps] = (),
        grid: Grid = WHOLE_FRAME,
        shares: tuple[float, ...] = (),
    ) -> Self:
        """Predict a plan for the devices that can hold it; it is refused if the owner cannot, or too few.

        Tiles that the gateway assigns are for all devices: it is refused if one of them cannot hold it.
        """
        short = short_devices(method, costs, cluster)
        fitting = cluster.without(short)
        enough = len(fitting.devices) >= (1 if method is Method.WHOLE else 2)
        if short and not method.distribution.by_gateway and enough and cluster.owner not in short:
            cluster, short = fitting, ()
        names = tuple(device.name for device in cluster.devices)
        refused = explain_shortfall(method, costs, cluster) if short else ""
        return cls(method, names, predict_plan(method, costs, cluster), refused, cuts, grid, shares)

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


def plan_words(method: Method, stages: Sequence[Stage], devices: Sequence[str] = ()) -> str:
    """Return a plan in words. `devices`: those that its tiles are assigned to, tile by tile."""
    if method is Method.WHOLE:
        return "whole frames"
    last, count = stages[-1], len(set(devices))
    in_stages = f" in {len(stages)} stages" if len(stages) > 1 else ""
    several = method.distribution.by_gateway and 0 < count < last.grid.count
    on_devices = f" on {count} devices" if several else ""
    return f"{method} {last.grid}{on_devices}{in_stages} up to {', '.join(last.cut)}"
