"""Predicts what a plan gives on devices: latency, throughput, bytes and memory. Pure, from costs and measured speeds.

The latency is that of a frame alone: every device, link and the gateway is busy with one thing at a time. The
throughput is that of the resource that a frame keeps busy for longest.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gateway.planning.cut_regions import CutRegions
from gateway.planning.kernel_costs import NO_WORK, Units, cost_of_work, sum_work, unit_costs
from gateway.planning.methods import Method
from gateway.planning.profiles import EXCHANGE_COST, OWNER_COST, PREPARING_COST, TILE_COST
from gateway.planning.stage_costs import LayerCosts, layer_weight_bytes, whole_work
from shared.ftp.costs import working_bytes_of_tiles
from shared.wire.link_speed import predict_transfer_s

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gateway.planning.profiles import ClusterProfile, DeviceProfile
    from shared.ftp.stage import Stage
    from shared.model.network import Network

EXCHANGE_S = 0.008
"""Seconds of an exchange of strips besides its bytes: messages, and waiting for the slowest neighbour."""

IDLE_SHARE = 0.13
"""The part of its time in which a node that steals has nothing to compute: it waits for grants and for pixels. By
what six devices of 0.2 cores fell short of predictions without it, with stolen tiles: 9 to 18 %. For whole frames it is
assumed."""

TABLE_BYTES = 4096
"""Bytes of a table of objects, the result of a whole frame."""


@dataclass(frozen=True, slots=True)
class DivisionCosts:
    """The costs of a division: operations by stage and tile, bytes in float32, and the cost behind the cut.

    Operations are weighted by the usual costs of kinds of layers; `work` and `tail_work` are the same by kind, for
    devices that have measured their own. `tile_macs`: those of each tile as they are counted, of any kind.

    `strips`: by stage, the bytes that a tile (second) needs of another (first) for it. `tile_bytes`: by tile, the
    memory of its maps; `weight_bytes`: of the weights of all stages.
    """

    tiles: tuple[tuple[float, ...], ...]
    strips: tuple[Mapping[tuple[int, int], int], ...]
    pixel_bytes: tuple[int, ...]
    result_bytes: tuple[int, ...]
    tail: float
    tile_bytes: tuple[int, ...]
    weight_bytes: int
    work: tuple[tuple[Units, ...], ...] = ()
    tail_work: Units = NO_WORK
    tile_macs: tuple[int, ...] = ()

    @property
    def total(self) -> float:
        """Return the operations of all tiles."""
        return sum(sum(stage) for stage in self.tiles)

    def of_tile(self, stage: int, tile: int, device: DeviceProfile) -> float:
        """Return the operations of a tile on a device, by the kinds that it has measured."""
        if not (device.kernels and self.work):
            return self.tiles[stage][tile]
        return cost_of_work(self.work[stage][tile], device.kernels)

    def of_tiles(self, device: DeviceProfile) -> float:
        """Return the operations of all tiles on a device."""
        return sum(self.of_tile(stage, tile, device) for stage, of in enumerate(self.tiles) for tile in range(len(of)))

    def of_tail(self, device: DeviceProfile) -> float:
        """Return the operations behind the cut on a device."""
        return cost_of_work(self.tail_work, device.kernels) if device.kernels and self.work else self.tail

    @property
    def memory_bytes(self) -> int:
        """Return the memory of a device that computes the largest tile."""
        return max(self.tile_bytes) + self.weight_bytes


@dataclass(frozen=True, slots=True)
class PlanPrediction:
    """The prediction of a plan: seconds of a frame alone, frames a second of many, bytes on all links for each frame.

    `neck` is what limits the throughput, in words. `memory_bytes` are those of a device.
    """

    latency_s: float
    frames_per_s: float
    frame_bytes: int
    neck: str
    memory_bytes: int


@dataclass(slots=True)
class _Busy:
    """The seconds that a frame keeps devices and links busy, by their names in words."""

    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    bytes: int = 0

    def send(self, device: DeviceProfile, count: int, direction: str) -> float:
        """Note bytes on a device's link; return the seconds that they take."""
        seconds = count / device.bytes_per_s
        self.seconds[f"the link {direction} {device.name}"] += seconds
        return seconds

    def send_pixels(self, device: DeviceProfile, count: int, direction: str) -> float:
        """Note pixels on a device's link, which are coded if it is slow; return the seconds that they take."""
        seconds = predict_transfer_s(count, device.bytes_per_s)
        self.seconds[f"the link {direction} {device.name}"] += seconds
        return seconds

    def compute(self, device: DeviceProfile, cost: float) -> float:
        """Note operations; return the seconds that they take."""
        seconds = cost / device.macs_per_s
        self.seconds[f"computing on {device.name}"] += seconds
        return seconds

    def predict(self, latency_s: float, memory_bytes: int) -> PlanPrediction:
        neck = max(self.seconds, key=lambda name: self.seconds[name])
        return PlanPrediction(latency_s, 1 / self.seconds[neck], self.bytes, neck, memory_bytes)


def costs_of_stages(network: Network, stages: Sequence[Stage]) -> DivisionCosts:
    """Return the costs of the stages of a division, and of the layers behind them."""
    if stages[0].whole:
        return _costs_of_whole(network, stages[0])
    fused = {layer.name for stage in stages for layer in stage.layers}
    costs = LayerCosts(network, [layer for layer in network.layers if layer.name in fused], stages[0].inputs)
    outputs = [[tile.outputs for tile in stage.tiles] for stage in stages]
    regions = CutRegions(costs.tables, [stage.cut for stage in stages], outputs)
    return costs_of_cuts(costs, regions, range(len(stages)))


def costs_of_cuts(costs: LayerCosts, regions: CutRegions, chain: Sequence[int]) -> DivisionCosts:
    """Return the costs of the stages that end at these cuts, given by number, and of the layers behind them."""
    usual = unit_costs({})
    stages = [costs.of_stage(regions, after, behind) for after, behind in zip([None, *chain], chain, strict=False)]
    first, last = chain[0], chain[-1]
    tail_work = costs.tail_work(regions, last)
    return DivisionCosts(
        tiles=tuple(tuple(cost_of_work(of_tile, usual) for of_tile in stage.work) for stage in stages),
        work=tuple(stage.work for stage in stages),
        tail_work=tail_work,
        tile_macs=tuple(map(sum, zip(*(stage.macs for stage in stages), strict=True))),
        strips=tuple(stage.strips for stage in stages),
        pixel_bytes=costs.pixel_bytes(regions, first),
        result_bytes=costs.result_bytes(regions, last),
        tail=cost_of_work(tail_work, usual),
        tile_bytes=tuple(map(max, zip(*(stage.tile_bytes for stage in stages), strict=True))),
        weight_bytes=costs.weight_bytes(regions, last),
    )


def _costs_of_whole(network: Network, stage: Stage) -> DivisionCosts:
    work = sum_work([whole_work(network, layer) for layer in stage.layers])
    return DivisionCosts(
        tiles=((cost_of_work(work, unit_costs({})),),),
        work=((work,),),
        tile_macs=(stage.tiles[0].macs,),
        strips=({},),
        pixel_bytes=(3 * stage.tiles[0].inputs[0].area,),
        result_bytes=(TABLE_BYTES,),
        tail=0.0,
        tile_bytes=working_bytes_of_tiles(network, stage),
        weight_bytes=sum(layer_weight_bytes(layer) for layer in stage.layers),
    )


def predict_plan(method: Method, costs: DivisionCosts, cluster: ClusterProfile) -> PlanPrediction:
    """Predict a plan; `cluster` has the devices in the order of the tiles that the gateway assigns to them."""
    if method is Method.WHOLE:
        return predict_whole(costs, cluster)
    return predict_assigned(costs, cluster) if method.distribution.by_gateway else predict_stolen(costs, cluster)


def predict_whole(costs: DivisionCosts, cluster: ClusterProfile) -> PlanPrediction:
    """Predict whole frames: one of them on the device that ends it soonest, many of them on all devices."""
    owner = _owner(cluster)
    per_s, latency_s = 0.0, float("inf")
    for device in cluster.devices:
        own, cost = device is owner, costs.of_tile(0, 0, device)
        besides = OWNER_COST if own or not cluster.owner else 0.0
        sent_s = _sending_s(owner, device, costs.pixel_bytes[0])
        computing_s = (cost + TILE_COST) / device.macs_per_s
        latency_s = min(latency_s, PREPARING_COST / owner.macs_per_s + sent_s + computing_s)
        computed = device.macs_per_s / (cost + TILE_COST + besides)
        per_s += computed if own or not cluster.owner else min((1 - IDLE_SHARE) * computed, 1 / sent_s)
    stolen = sum(costs.pixel_bytes) * (len(cluster.devices) - 1) // len(cluster.devices) if cluster.owner else 0
    return PlanPrediction(latency_s, per_s, stolen + TABLE_BYTES, "computing on all devices", costs.memory_bytes)


def predict_stolen(costs: DivisionCosts, cluster: ClusterProfile) -> PlanPrediction:
    """Predict tiles of one stage that idle devices steal: each goes to the device that ends it soonest."""
    busy, owner, gateway = _Busy(), _owner(cluster), cluster.gateway
    prepared_s = _prepare(busy, owner)
    free = {device.name: prepared_s for device in cluster.devices}
    sent_s, arrived_s = prepared_s, prepared_s
    largest_first = sorted(range(len(costs.tiles[0])), key=lambda tile: (costs.tiles[0][tile], tile), reverse=True)
    for tile in largest_first:
        pixels, result = costs.pixel_bytes[tile], costs.result_bytes[tile]
        ends = {
            device.name: _end_s(
                device, free[device.name], costs.of_tile(0, tile, device), sent_s + _sending_s(owner, device, pixels)
            )
            for device in cluster.devices
        }
        device = min(cluster.devices, key=lambda device: ends[device.name])
        end_s = free[device.name] = ends[device.name]
        if device is not owner:
            sent_s += busy.send_pixels(owner, pixels, "of")
            busy.send_pixels(device, pixels, "to")
            busy.bytes += pixels
        arrived_s = _send_result(busy, device, cluster, result, max(arrived_s, end_s))
    besides = TILE_COST * len(costs.tiles[0]) + OWNER_COST
    frames_per_s = sum(device.macs_per_s / (costs.of_tiles(device) + besides) for device in cluster.devices)
    busy_share = 1 - IDLE_SHARE if len(cluster.devices) > 1 else 1.0
    busy.seconds["computing on all devices"] = 1 / (busy_share * frames_per_s)
    return busy.predict(arrived_s + busy.compute(gateway, costs.of_tail(gateway) + TILE_COST), costs.memory_bytes)


def predict_assigned(costs: DivisionCosts, cluster: ClusterProfile) -> PlanPrediction:
    """Predict tiles that the gateway assigns, in stages: tile 1 to the first device, tile 2 to the second, …"""
    busy, owner, gateway = _Busy(), _owner(cluster), cluster.gateway
    count = len(costs.pixel_bytes)
    workers = [cluster.devices[tile % len(cluster.devices)] for tile in range(count)]
    prepared_s = sent_s = _prepare(busy, owner)
    ready_s = [prepared_s] * count
    for tile, device in enumerate(workers):
        if device is not owner:
            busy.send(device, costs.pixel_bytes[tile], "to")
            sent_s += busy.send(owner, costs.pixel_bytes[tile], "of")
            busy.bytes += costs.pixel_bytes[tile]
            ready_s[tile] = sent_s
        busy.compute(device, TILE_COST)
    ends = ready_s
    free_s: dict[str, float] = defaultdict(float)
    for stage in range(len(costs.tiles)):
        begins = list(ends)
        for (giver, taker), in_float32 in costs.strips[stage].items():
            passes = workers[giver] is not workers[taker]
            sent = round(in_float32 * cluster.map_scale) if passes else 0
            taken_s = EXCHANGE_S + busy.send(workers[taker], sent, "to") if passes else 0.0
            busy.bytes += sent
            begins[taker] = max(begins[taker], ends[giver] + taken_s)
        exchanged = EXCHANGE_COST if costs.strips[stage] else 0.0
        of_tiles = [costs.of_tile(stage, tile, device) + exchanged for tile, device in enumerate(workers)]
        ends = _run_stage(busy, workers, free_s, begins, of_tiles)
    arrived_s = 0.0
    for end_s, tile in sorted((end_s, tile) for tile, end_s in enumerate(ends)):
        arrived_s = _send_result(busy, workers[tile], cluster, costs.result_bytes[tile], max(arrived_s, end_s))
    return busy.predict(arrived_s + busy.compute(gateway, costs.of_tail(gateway) + TILE_COST), costs.memory_bytes)


def _prepare(busy: _Busy, owner: DeviceProfile) -> float:
    """Note what a frame costs its owner besides computing; return the seconds of it before the first tile."""
    busy.compute(owner, OWNER_COST)
    return PREPARING_COST / owner.macs_per_s


def _end_s(device: DeviceProfile, free_s: float, cost: float, ready_s: float) -> float:
    """Return when a device has computed a tile whose pixels it has at `ready_s`."""
    return max(free_s, ready_s) + (cost + TILE_COST) / device.macs_per_s


def _sending_s(owner: DeviceProfile, device: DeviceProfile, count: int) -> float:
    """Return the seconds in which an owner sends so many bytes of pixels to a device that steals."""
    return 0.0 if device is owner else predict_transfer_s(count, min(device.bytes_per_s, owner.bytes_per_s))


def _run_stage(
    busy: _Busy,
    workers: Sequence[DeviceProfile],
    free_s: dict[str, float],
    begins: Sequence[float],
    tiles: Sequence[float],
) -> list[float]:
    """Return when each tile's stage ends, and note when each device is free again.

    Tiles of one device run one after another.
    """
    ends = [0.0] * len(tiles)
    for tile in sorted(range(len(tiles)), key=lambda tile: (begins[tile], tile)):
        device = workers[tile]
        ends[tile] = max(begins[tile], free_s[device.name]) + busy.compute(device, tiles[tile])
        free_s[device.name] = ends[tile]
    return ends


def _send_result(busy: _Busy, device: DeviceProfile, cluster: ClusterProfile, count: int, begin_s: float) -> float:
    """Return when a result, of so many bytes in float32, has arrived at the gateway."""
    if device.name == cluster.gateway.name:
        return begin_s
    sent = round(count * cluster.map_scale)
    busy.bytes += sent
    return begin_s + max(busy.send(device, sent, "of"), busy.send(cluster.gateway, sent, "to"))


def _owner(cluster: ClusterProfile) -> DeviceProfile:
    """Return the device that has the frame; any of the fastest when several have cameras."""
    named = [device for device in cluster.devices if device.name == cluster.owner]
    return named[0] if named else max(cluster.devices, key=lambda device: device.macs_per_s)
