"""Fits plans to the memory of devices: who cannot hold which, how much is missing, and smaller tiles for them. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.planning.cut_regions import CutMaps
    from gateway.planning.divided_network import DividedNetwork
    from gateway.planning.methods import Method
    from gateway.planning.plan_prediction import DivisionCosts
    from gateway.planning.profiles import ClusterProfile

SPARE_ROOM = 0.9
"""A tile that did not fit gets this part of the rows that would just fit: its halo does not become smaller."""

CUTS_OF_GRID = 3
"""Cuts that are predicted in full for each grid: those that a simpler prediction finds best, of all, and of those whose
weights the smallest device can hold."""


def cuts_for_memory(network: DividedNetwork, cluster: ClusterProfile, cuts: Sequence[CutMaps]) -> list[CutMaps]:
    """Return the first of these cuts, and the first of those whose weights the smallest device can hold."""
    smallest = min((device.memory_bytes for device in cluster.devices if device.memory_bytes), default=0)
    fitting = [maps for maps in cuts if smallest and network.head_costs(maps).weight_bytes < smallest]
    return list(dict.fromkeys([*cuts[:CUTS_OF_GRID], *fitting[:CUTS_OF_GRID]]))


def memory_needs(method: Method, costs: DivisionCosts, cluster: ClusterProfile) -> tuple[int, ...]:
    """Return the bytes that a plan needs of each device, in their order.

    Tiles that the gateway assigns go to the devices in turn; any other device may get the largest tile.
    """
    count = len(cluster.devices)
    if not method.distribution.by_gateway:
        return (costs.memory_bytes,) * count
    return tuple(costs.weight_bytes + max(costs.tile_bytes[device::count], default=0) for device in range(count))


def short_devices(method: Method, costs: DivisionCosts, cluster: ClusterProfile) -> tuple[str, ...]:
    """Return the names of the devices whose memory is known, and too small for a plan."""
    needs = memory_needs(method, costs, cluster)
    return tuple(
        device.name
        for device, need in zip(cluster.devices, needs, strict=True)
        if 0 < device.memory_bytes < need
    )  # fmt: skip


def explain_shortfall(method: Method, costs: DivisionCosts, cluster: ClusterProfile) -> str:
    """Return why a plan does not fit, naming the device that lacks most; empty when it fits all."""
    missing = [
        (need - device.memory_bytes, need, device.name)
        for device, need in zip(cluster.devices, memory_needs(method, costs, cluster), strict=True)
        if 0 < device.memory_bytes < need
    ]
    if not missing:
        return ""
    lacking, need, name = max(missing)
    return f"it needs {need / 2**20:.0f} MiB of {name}, {lacking / 2**20:.0f} MiB more than it has"


def smaller_shares(shares: Sequence[float], costs: DivisionCosts, cluster: ClusterProfile) -> tuple[float, ...] | None:
    """Return shares by which the devices that lack memory have smaller tiles, and the others larger ones.

    None when all fit, or when a device could not even hold the weights.
    """
    fitting: list[float] = []
    for share, maps, device in zip(shares, costs.tile_bytes, cluster.devices, strict=True):
        room = device.memory_bytes - costs.weight_bytes
        if not device.memory_bytes or maps <= room:
            fitting.append(share)
        elif room <= 0:
            return None
        else:
            fitting.append(share * SPARE_ROOM * room / maps)
    taken = [new < old for new, old in zip(fitting, shares, strict=True)]
    if not any(taken) or all(taken):
        return None
    # Only the others take over what these devices cannot hold.
    kept = sum(share for share, less in zip(fitting, taken, strict=True) if less)
    others = sum(share for share, less in zip(fitting, taken, strict=True) if not less)
    return tuple(share if less else share * (1 - kept) / others for share, less in zip(fitting, taken, strict=True))
