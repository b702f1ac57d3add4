"""Shortens the list of nodes to the largest message that a broker accepts, pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.payloads.cluster import Nodes, State

if TYPE_CHECKING:
    from shared.payloads.base import Message

NODE_OVERHEAD_BYTES = 8
"""Bytes of JSON around the name of a node: quotes, colon and comma, with a margin."""


def shorten_node_list(report: Nodes, largest_bytes: int) -> Nodes:
    """Return the list with as many nodes as fit into `largest_bytes` of JSON; offline nodes are left out first."""
    if _size(report) <= largest_bytes:
        return report
    sizes = {name: len(name) + NODE_OVERHEAD_BYTES + _size(node) for name, node in report.nodes.items()}
    room = largest_bytes - _size(report.model_copy(update={"nodes": {}, "left_out": len(sizes)}))
    kept = set()
    for name in sorted(sizes, key=lambda name: (report.nodes[name].state is State.OFFLINE, name)):
        room -= sizes[name]
        if room < 0:
            break
        kept.add(name)
    nodes = {name: node for name, node in report.nodes.items() if name in kept}
    return report.model_copy(update={"nodes": nodes, "left_out": len(sizes) - len(kept)})


def _size(message: Message) -> int:
    return len(message.model_dump_json().encode())
