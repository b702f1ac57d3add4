"""Profiles of the devices that a plan is made for: speeds, links and memory. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from shared.wire.link_speed import USUAL_LINK_BYTES_PER_S
from shared.wire.map_values import value_bytes

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from gateway.planning.kernel_costs import Units
    from shared.wire.map_values import MapType

OWNER_COST = 0.7e9
"""The cost of a frame for its owner besides computing, in MACs: its camera, fitting the picture, sending its tiles.
Measured: what the owner of six devices used more than the others, 12 milliseconds of a core of 57e9 MACs a second."""

PREPARING_COST = 0.15e9
"""The part of it between the picture's arrival and its first tile. Fitting it was measured, 0.65 milliseconds; the
rest, some 0.5, is assumed."""

TILE_COST = 0.15e9
"""The cost of a tile for its device besides computing, in MACs: messages, receiving, sending. Measured: 1.2
milliseconds of a core that computes 130e9 MACs a second."""

EXCHANGE_COST = 0.4e9
"""The cost of an exchange of strips for each tile, in MACs: messages to all its neighbours and from them. Estimated
from the processor time of edges beside their computing."""

SMALLEST_SHARE = 0.01
"""Of the mean. A device without a share still gets a row, which must not take for ever in a prediction."""


@dataclass(frozen=True, slots=True)
class DeviceProfile:
    """A device that computes.

    `macs_per_s`: operations a second of all its cores that compute. `bytes_per_s`: of its link, in each direction.
    `memory_bytes`: what plans may use of its memory; 0: unknown. `kernels`: the costs of kinds of layers that it has
    measured, see `kernel_costs`; empty: the usual ones.
    """

    name: str
    macs_per_s: float
    bytes_per_s: float = USUAL_LINK_BYTES_PER_S
    memory_bytes: int = 0
    kernels: Units = ()


@dataclass(frozen=True, slots=True)
class ClusterProfile:
    """The devices that compute, and the gateway, which merges and runs the layers behind a cut; maps on the wire.

    `owner` is the name of the device that has the camera, "" when several have one. A computing device with the
    gateway's name is the gateway itself: results need no link from there.
    """

    devices: tuple[DeviceProfile, ...]
    gateway: DeviceProfile
    owner: str = ""
    maps: MapType = "float32"

    @property
    def map_scale(self) -> float:
        """Return the bytes of maps on the wire, relative to those of float32."""
        return value_bytes(self.maps) / value_bytes("float32")

    @property
    def besides(self) -> tuple[float, ...]:
        """Return what a frame costs each device besides its tiles: its camera, where it has that."""
        return tuple(OWNER_COST if device.name == self.owner else 0.0 for device in self.devices)

    def fastest(self, count: int) -> ClusterProfile:
        """Return a cluster of the fastest devices only; the owner is always one of them."""
        by_speed = sorted(self.devices, key=lambda device: (device.name != self.owner, -device.macs_per_s, device.name))
        kept = {device.name for device in by_speed[:count]}
        return replace(self, devices=tuple(device for device in self.devices if device.name in kept))

    def without(self, names: Collection[str]) -> ClusterProfile:
        """Return a cluster without the devices of these names."""
        return replace(self, devices=tuple(device for device in self.devices if device.name not in names))

    def in_order(self, names: Sequence[str]) -> ClusterProfile:
        """Return a cluster of the devices with these names, in their order; names that are missing are left out.

        Without any of them, it is the same cluster.
        """
        by_name = {device.name: device for device in self.devices}
        found = tuple(by_name[name] for name in names if name in by_name)
        return replace(self, devices=found) if found else self


def fitted_shares(cluster: ClusterProfile, frame_cost: float) -> tuple[float, ...]:
    """Return each device's share of a frame of this cost, so that all end at the same time; the sum is 1.

    The owner's is smaller, as the frame costs it more than computing.
    """
    speeds = [device.macs_per_s for device in cluster.devices]
    frame_cost = max(1.0, frame_cost)  # layers without operations have none
    seconds = (frame_cost + sum(cluster.besides)) / sum(speeds)
    return usable_shares(
        [(speed * seconds - extra) / frame_cost for speed, extra in zip(speeds, cluster.besides, strict=True)]
    )


def usable_shares(shares: Sequence[float]) -> tuple[float, ...]:
    """Return shares whose sum is 1; none is smaller than about SMALLEST_SHARE of their mean."""
    least = SMALLEST_SHARE / len(shares)
    parts = [max(least, share) for share in shares]
    return tuple(part / sum(parts) for part in parts)
