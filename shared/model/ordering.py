"""Sort the nodes of a graph, and list the tensors that a node reads, subgraphs (If, Loop, Scan) included."""

from __future__ import annotations

from typing import TYPE_CHECKING

import onnx

if TYPE_CHECKING:
    from collections.abc import Iterable


def tensors_read_by(node: onnx.NodeProto) -> list[str]:
    """Return the tensors that a node reads: its inputs, then tensors of the outer graph that its subgraphs read."""
    names = [name for name in node.input if name]
    for graph in subgraphs(node):
        names += [name for name in _read_from_outside(graph) if name not in names]
    return names


def subgraphs(node: onnx.NodeProto) -> list[onnx.GraphProto]:
    """Return the subgraphs of a node: the branches of an If, the body of a Loop or Scan."""
    graphs: list[onnx.GraphProto] = []
    for attribute in node.attribute:
        graphs += [attribute.g] if attribute.HasField("g") else []
        graphs += attribute.graphs
    return graphs


def _read_from_outside(graph: onnx.GraphProto) -> list[str]:
    own = {value.name for value in graph.input} | {tensor.name for tensor in graph.initializer}
    own.update(name for node in graph.node for name in node.output)
    read = [name for node in graph.node for name in tensors_read_by(node)]
    read += [value.name for value in graph.output]
    return [name for name in dict.fromkeys(read) if name not in own]


def sort_nodes(graph: onnx.GraphProto) -> None:
    """Sort the nodes of a graph, and of its subgraphs, topologically.

    A sorted graph stays as it is. Nodes of a cycle keep their order and come last; the checker refuses them.
    """
    for node in graph.node:
        for inner in subgraphs(node):
            sort_nodes(inner)
    made = {name for node in graph.node for name in node.output if name}
    waits = {index: {name for name in tensors_read_by(node) if name in made} for index, node in enumerate(graph.node)}
    if _in_order(graph.node, waits.values()):
        return
    readers: dict[str, list[int]] = {}
    for index, names in waits.items():
        for name in names:
            readers.setdefault(name, []).append(index)
    ready = [index for index, names in waits.items() if not names]
    order: list[int] = []
    for index in ready:  # grows while it is walked
        order.append(index)
        for name in graph.node[index].output:
            for reader in readers.get(name, ()):
                waits[reader].discard(name)
                if not waits[reader]:
                    ready.append(reader)
    order += [index for index, names in waits.items() if names]
    replace_nodes(graph, [graph.node[index] for index in order])


def replace_nodes(graph: onnx.GraphProto, nodes: Iterable[onnx.NodeProto]) -> None:
    """Replace the nodes of a graph; they are copied first, as some of them belong to the list that is deleted."""
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(copies)


def _in_order(nodes: Iterable[onnx.NodeProto], waits: Iterable[set[str]]) -> bool:
    made: set[str] = set()
    for node, names in zip(nodes, waits, strict=True):
        if not names <= made:
            return False
        made.update(node.output)
    return True
