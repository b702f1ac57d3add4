"""Finds devices that cannot reach each other, pure: addresses and failed connections in, problems and cures out.

Processes with the same network (shared/mqtt/identity.py) reach each other on loopback. If one listens on loopback only,
although another one is on another device, this is reported before a connection fails.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.logs.printable import printable
from shared.network.hosts import format_address, is_loopback

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from shared.payloads.cluster import Identity, NodeState, UnreachedPeer

MAX_NAMED_EDGES = 5
"""Edges that one problem names."""

EDGE_CURE = "check the firewall there, and its --listen and --port"
GATEWAY_CURE = "check the firewall there, and cluster.listen and cluster.data_port (--listen, --data-port)"


@dataclass(frozen=True, slots=True)
class Contacts:
    """The known addresses and failed connections.

    `identity` is that of the gateway; `host` and `port` are the advertised address of its data plane; an empty host
    means that of the broker. `nodes` are the states of edges. `failed`: by edge, the address that the gateway could not
    reach, and the reason. `unreached`: by edge, the peers that the edge could not reach.
    """

    identity: Identity
    host: str
    port: int
    nodes: Mapping[str, NodeState]
    failed: Mapping[str, tuple[str, str]]
    unreached: Mapping[str, Sequence[UnreachedPeer]]


def contact_problems(contacts: Contacts) -> list[str]:
    """Return a sentence for each problem, with its cure."""
    return [
        *_gateway_on_loopback(contacts),
        *_edges_on_loopback(contacts),
        *_unreachable_edges(contacts),
        *_unreachable_for_edges(contacts),
    ]


def on_different_networks(one: Identity, other: Identity) -> bool:
    """Return whether two processes are known to have different networks, so that loopback does not connect them."""
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
        others = ["the gateway"] if on_different_networks(node.identity, contacts.identity) else []
        if others or far:
            yield (
                f"edge {name} on {node.identity} listens on {node.host} only, where {_named(far, others)} on other "
                "devices cannot take tiles or pictures from it: start it with --listen 0.0.0.0"
            )


def _unreachable_edges(contacts: Contacts) -> Iterator[str]:
    for name, (address, reason) in sorted(contacts.failed.items()):
        node = contacts.nodes.get(name)
        if node is not None and not (
            is_loopback(node.host) and on_different_networks(node.identity, contacts.identity)
        ):
            yield f"the gateway cannot reach edge {name} at {address}: {reason}; {EDGE_CURE}"


def _unreachable_for_edges(contacts: Contacts) -> Iterator[str]:
    """Yield the problems that edges report, except for those with addresses that are outdated."""
    for name, peers in sorted(contacts.unreached.items()):
        node = contacts.nodes.get(name)
        for peer in peers if node is not None else ():
            assert node is not None
            place = f"at {format_address(peer.host, peer.port)}: {printable(peer.reason)}"
            if _is_at(contacts.host, contacts.port, peer):
                if not (is_loopback(contacts.host) and on_different_networks(node.identity, contacts.identity)):
                    yield f"edge {name} cannot reach the gateway {place}; {GATEWAY_CURE}"
                continue
            for other, state in sorted(contacts.nodes.items()):
                far = is_loopback(state.host) and on_different_networks(node.identity, state.identity)
                if other != name and not far and _is_at(state.host, state.port, peer):
                    yield f"edge {name} cannot reach edge {other} {place}; {EDGE_CURE}"
                    break


def _is_at(host: str, port: int, peer: UnreachedPeer) -> bool:
    """Return whether `peer` is at this advertised address.

    An empty host, which means that of the broker, matches any host, because edges may call the broker's host otherwise.
    """
    return port == peer.port and host in {"", peer.host}


def _named(edges: Sequence[str], others: Sequence[str] = ()) -> str:
    names = [*others, *(f"edge {name}" for name in edges[:MAX_NAMED_EDGES])]
    more = len(edges) - MAX_NAMED_EDGES
    return ", ".join([*names, *([f"{more} more edges"] if more > 0 else [])])
