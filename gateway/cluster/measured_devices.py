"""Describes the devices of a cluster for predictions, from what was measured: speeds, lanes and links."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from statistics import median
from typing import TYPE_CHECKING

from gateway.planning.kernel_costs import unit_costs
from gateway.planning.profiles import OWNER_COST, ClusterProfile, DeviceProfile
from shared.mqtt.client_ids import OWN_NODE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.cluster.link_rates import LinkRates
    from gateway.cluster.speeds import NodeSpeeds
    from gateway.membership.members import Membership
    from gateway.planning.kernel_costs import Units
    from gateway.planning.plan_prediction import DivisionCosts
    from shared.wire.map_values import MapType


LEAST_PART_OF_OWNER = 0.6
"""The least part of its time that a device with a camera has left for computing. Assumed."""

RECENT_S = 10.0
"""The rate of published frames is measured over this time."""

MAX_RECENT_FRAMES = 1000
"""Frames that are counted within RECENT_S: a rate above 100 a second is taken for 100."""


class MeasuredDevices:
    """Describes devices by their measurements. Speeds are in the units of predictions, see `kernel_costs`."""

    def __init__(
        self,
        undivided: DivisionCosts,
        members: Membership,
        speeds: NodeSpeeds,
        links: LinkRates,
        maps: MapType = "float32",
    ) -> None:
        """`undivided` are the costs of the undivided network, which devices run to measure their speed.

        `maps` is the type of maps on the wire.
        """
        self._maps: MapType = maps
        self._undivided = undivided
        self._macs = max(1, sum(undivided.tile_macs))
        self._members = members
        self._speeds = speeds
        self._links = links
        self._published_at: deque[float] = deque(maxlen=MAX_RECENT_FRAMES)

    def describe(self, nodes: Sequence[str], now: float) -> ClusterProfile | None:
        """Return these nodes as devices, in their order; None while no speed is known. `now`: monotonic seconds.

        A node whose speed is unknown, because its release does not measure it, gets the median speed of the others. The
        gateway is always described, too: it runs the tail on its own cores, even if its own node gets no tiles.
        """
        known = {node: speed for node in nodes if (speed := self._speeds.speed_of(node)) is not None}
        if not known:
            return None
        usual = median(known.values())
        bytes_per_s = self._links.slowest(now, nodes)
        devices = tuple(
            self._without_camera(self._device(node, known.get(node, usual), bytes_per_s), now) for node in nodes
        )
        gateway = self._device(OWN_NODE, self._speeds.speed_of(OWN_NODE) or usual, bytes_per_s)
        return ClusterProfile(devices, gateway, self.owner, self._maps)

    def _without_camera(self, device: DeviceProfile, now: float) -> DeviceProfile:
        """Return a device; if it is the only one with cameras, with the speed that it would have without them.

        Serving a camera makes its tiles slower. Predictions count this cost separately, so it is taken out here.
        """
        if device.name != self.owner:
            return device
        measured = device.macs_per_s
        faster = min(measured + self._camera_cost_per_s(now), measured / LEAST_PART_OF_OWNER)
        return replace(device, macs_per_s=faster)

    @property
    def owner(self) -> str:
        """Return the node that has the cameras; "" if several have some, or none has any."""
        with_cameras = self._members.with_cameras
        return with_cameras[0] if len(with_cameras) == 1 else ""

    def add_frame(self, now: float) -> None:
        """Note that a frame was published at `now`, in monotonic seconds."""
        self._published_at.append(now)

    def _camera_cost_per_s(self, now: float) -> float:
        """Return the operations per second that frames cost their owner besides computing tiles."""
        recent = sum(now - RECENT_S < published_at for published_at in self._published_at)
        return OWNER_COST * recent / RECENT_S

    def usual_macs(self, costs: DivisionCosts, tile: int, node: str, macs: int) -> int:
        """Return the number of operations of the whole network that take a node as long as this tile.

        Operations of the first layers are slower, and those of the last layers faster, than the average of the network.
        If they were not converted, a device would seem to change its speed with the plan. `costs` are those of the
        plan, `macs` the operations of the tile.
        """
        planned = costs.tile_macs[tile] if tile < len(costs.tile_macs) else 0
        if not planned:
            return macs
        device = DeviceProfile(node, 1.0, kernels=self._costs_of(node))
        cost = sum(costs.of_tile(stage, tile, device) for stage in range(len(costs.tiles)))
        return round(macs * (cost / planned) / (self._undivided.of_tiles(device) / self._macs))

    def _costs_of(self, node: str) -> Units:
        measured = self._members.kernels(node)
        return unit_costs(measured) if measured else ()

    def _device(self, node: str, macs_per_s: float, bytes_per_s: float) -> DeviceProfile:
        device = DeviceProfile(node, macs_per_s, bytes_per_s, self._members.memory_bytes(node), self._costs_of(node))
        # The speed was measured with the whole network, all kinds of layers together; predictions count units by kind.
        return replace(
            device, macs_per_s=macs_per_s * self._members.lanes(node) * self._undivided.of_tiles(device) / self._macs
        )
