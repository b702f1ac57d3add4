"""Who cannot reach whom, and what to do, pure: what parties tell of themselves and of others in, problems out.

Two parties reach each other on loopback when they have the same network (shared/mqtt/identity.py). One that listens on
loopback only while another is elsewhere is a mistake that can be named before anything fails.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.logs.printable import printable
from shared.network.hosts import is_loopback, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from shared.payloads.cluster import Identity, NodeState, UnreachedPeer

MAX_NAMED_EDGES = 5
"""Edges that one sentence names."""

EDGE_CURE = "look at the firewall there, and at its --listen and --port"
GATEWAY_CURE = "look at the firewall there, and at cluster.listen and cluster.data_port (--listen, --data-port)"


@dataclass(frozen=True, slots=True)
class Contacts:
    """What is known. `host` and `port` are the gateway's data plane as it is advertised, host empty for the broker's.

    `failed` are the edges that the gateway has tried and not reached: address and reason; `unreached` is what edges
    tell of others.
    """

    identity: Identity
    host: str
    port: int
    nodes: Mapping[str, NodeState]
    failed: Mapping[str, tuple[str, str]]
    unreached: Mapping[str, Sequence[UnreachedPeer]]


def contact_problems(contacts: Contacts) -> list[str]:
    """Return a sentence for each, with what to look at."""
    return [
        *_gateway_on_loopback(contacts),
        *_edges_on_loopback(contacts),
        *_not_reached(contacts),
        *_not_reached_by(contacts),
    ]


def on_different_networks(one: Identity, other: Identity) -> bool:
    """Return whether two parties are known not to reach each other on loopback."""
    return bool(one.network and other.network and one.network != other.network)


def _gateway_on_loopback(contacts: Contacts) -> Iterator[str]:
    far = [
        name for name, node in sorted(contacts.nodes.items()) if on_different_networks(contacts.identity, node.identity)
    ]
    if is_loopback(contacts.host) and far:
        yield (
            f"the gateway listens on {contacts.host} only, where {_named(far)} on other devices cannot reach it: set "
            "cluster.listen: 0.0.0.0, or start it with --listen 0.0.0.0"
        )


def _edges_on_loopback(contacts: Contacts) -> Iterator[str]:
    for name, node in sorted(contacts.nodes.items()):
        if not is_loopback(node.host):
            continue
        far = [
            other
            for other, state in sorted(contacts.nodes.items())
            if on_different_networks(node.identity, state.identity)
        ]
        who = ["the gateway"] if on_different_networks(node.identity, contacts.identity) else []
        if who or far:
            yield (
                f"edge {name} on {node.identity} listens on {node.host} only, where {_named(far, who)} on other "
                "devices cannot take tiles or pictures from it: start it with --listen 0.0.0.0"
            )


def _not_reached(contacts: Contacts) -> Iterator[str]:
    for name, (address, reason) in sorted(contacts.failed.items()):
        node = contacts.nodes.get(name)
        if node is not None and not (
            is_loopback(node.host) and on_different_networks(node.identity, contacts.identity)
        ):
            yield f"the gateway cannot reach edge {name} at {address}: {reason}; {EDGE_CURE}"


def _not_reached_by(contacts: Contacts) -> Iterator[str]:
    """What edges tell; of addresses that are nobody's by now, nothing."""
    for name, peers in sorted(contacts.unreached.items()):
        node = contacts.nodes.get(name)
        for peer in peers if node is not None else ():
            assert node is not None
            where = f"at {shown(peer.host, peer.port)}: {printable(peer.reason)}"
            if _is_at(contacts.host, contacts.port, peer):
                if not (is_loopback(contacts.host) and on_different_networks(node.identity, contacts.identity)):
                    yield f"edge {name} cannot reach the gateway {where}; {GATEWAY_CURE}"
                continue
            for other, state in sorted(contacts.nodes.items()):
                far = is_loopback(state.host) and on_different_networks(node.identity, state.identity)
                if other != name and not far and _is_at(state.host, state.port, peer):
                    yield f"edge {name} cannot reach edge {other} {where}; {EDGE_CURE}"
                    break


def _is_at(host: str, port: int, peer: UnreachedPeer) -> bool:
    """Return whether a party is advertised there; an empty host is the broker's, by whatever name a peer knows it."""
    return port == peer.port and host in {"", peer.host}


def _named(edges: Sequence[str], others: Sequence[str] = ()) -> str:
    names = [*others, *(f"edge {name}" for name in edges[:MAX_NAMED_EDGES])]
    more = len(edges) - MAX_NAMED_EDGES
    return ", ".join([*names, *([f"{more} more edges"] if more > 0 else [])])
