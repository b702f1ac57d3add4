"""Describes the devices of a cluster for predictions, from what was measured: speeds, lanes and links."""

from __future__ import annotations

from dataclasses import replace
from statistics import median
from typing import TYPE_CHECKING

from gateway.planning.kernel_costs import unit_costs
from gateway.planning.profiles import ClusterProfile, DeviceProfile
from shared.ftp.macs import macs_of
from shared.mqtt.client_ids import OWN_NODE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.cluster.link_rates import LinkRates
    from gateway.cluster.speeds import NodeSpeeds
    from gateway.membership.members import Membership
    from gateway.planning.kernel_costs import Units
    from gateway.planning.plan_prediction import DivisionCosts
    from shared.model.network import Network
    from shared.wire.map_values import MapType


LEAST_PART_OF_OWNER = 0.6
"""The least part of its time that a device with a camera has left for computing. One that is slower than that is not
as fast any more as it was when it measured itself."""


class MeasuredDevices:
    """Describes devices by their measurements. Speeds are in the units of predictions, see `kernel_costs`."""

    def __init__(
        self,
        network: Network,
        whole: DivisionCosts,
        members: Membership,
        speeds: NodeSpeeds,
        links: LinkRates,
        maps: MapType = "float32",
    ) -> None:
        """`whole` are the costs of the network as a whole, which devices run when they measure their speed.

        `maps` is the type of maps on the wire.
        """
        self._maps: MapType = maps
        self._whole = whole
        self._macs = max(1, macs_of(network, network.layers))
        self._members = members
        self._speeds = speeds
        self._links = links

    def describe(self, nodes: Sequence[str], now: float) -> ClusterProfile | None:
        """Return these nodes as devices, in their order; None while no speed is known. `now`: monotonic seconds.

        A node that has not measured its speed, of the release before, counts as fast as the others. The gateway runs
        the layers behind a cut on its own cores, also while its node gets no tiles.
        """
        known = {node: speed for node in nodes if (speed := self._speed_of(node, nodes)) is not None}
        if not known:
            return None
        usual = median(known.values())
        bytes_per_s = self._links.slowest(now, nodes)
        devices = tuple(self._device(node, known.get(node, usual), bytes_per_s) for node in nodes)
        gateway = self._device(OWN_NODE, self._speeds.speed_of(OWN_NODE) or usual, bytes_per_s)
        return ClusterProfile(devices, gateway, self.owner, self._maps)

    @property
    def owner(self) -> str:
        """Return the node that has the cameras; "" if several have some, or none has any."""
        with_cameras = self._members.with_cameras
        return with_cameras[0] if len(with_cameras) == 1 else ""

    def _speed_of(self, node: str, others: Sequence[str]) -> float | None:
        """Return the speed of a node; without what its camera takes, if only this node has cameras.

        Its tiles take longer because of that, which predictions count apart. What all tiles take longer than when
        devices measured themselves, idle, is to be seen from the others.
        """
        speed, idle = self._speeds.speed_of(node), self._speeds.trial_of(node)
        if speed is None or idle is None or node != self.owner:
            return speed
        usual = median(self._parts_of_trials(others) or [1.0])
        return max(speed, min(idle * usual, speed / LEAST_PART_OF_OWNER))

    def _parts_of_trials(self, nodes: Sequence[str]) -> list[float]:
        """Return the speeds of nodes, as parts of those that they measured when they were idle."""
        return [
            speed / idle
            for node in nodes
            if node != self.owner
            and (speed := self._speeds.speed_of(node)) is not None
            and (idle := self._speeds.trial_of(node)) is not None
        ]

    def usual_macs(self, costs: DivisionCosts, tile: int, node: str, macs: int) -> int:
        """Return the operations of a tile as so many of the whole network as take the node as long.

        Tiles of the first layers have slower operations than the whole network, and those of the last ones faster ones:
        counted as they are, a device would seem to change its speed with the plan.
        """
        planned = costs.tile_macs[tile] if tile < len(costs.tile_macs) else 0
        if not planned:
            return macs
        device = DeviceProfile(node, 1.0, kernels=self._costs_of(node))
        cost = sum(costs.of_tile(stage, tile, device) for stage in range(len(costs.tiles)))
        return round(macs * (cost / planned) / (self._whole.of_tiles(device) / self._macs))

    def _costs_of(self, node: str) -> Units:
        measured = self._members.kernels(node)
        return unit_costs(measured) if measured else ()

    def _device(self, node: str, macs_per_s: float, bytes_per_s: float) -> DeviceProfile:
        device = DeviceProfile(node, macs_per_s, bytes_per_s, self._members.memory_bytes(node), self._costs_of(node))
        # It has measured its speed with all kinds of layers together.
        return replace(
            device, macs_per_s=macs_per_s * self._members.lanes(node) * self._whole.of_tiles(device) / self._macs
        )
