"""Finds listening addresses on loopback that another device cannot reach. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.network.hosts import is_loopback

if TYPE_CHECKING:
    from shared.payloads.cluster import Identity


def loopback_mistakes(own: Identity, own_host: str, gateway: Identity, gateway_host: str) -> list[str]:
    """Return a message for each side, edge or gateway, that listens on loopback while the other is on another device.

    `own_host` and `gateway_host` are the advertised hosts.
    """
    if not own.network or not gateway.network or own.network == gateway.network:
        return []
    mistakes = []
    if is_loopback(own_host):
        mistakes.append(
            f"this edge listens on {own_host} only, and the gateway is on another device, {gateway}: no edge there can "
            "take tiles or pictures from here; start this edge with --listen 0.0.0.0"
        )
    if is_loopback(gateway_host):
        mistakes.append(
            f"the gateway, on {gateway}, listens on {gateway_host} only, which this device cannot reach: set "
            "cluster.listen: 0.0.0.0 there, or start it with --listen 0.0.0.0"
        )
    return mistakes
