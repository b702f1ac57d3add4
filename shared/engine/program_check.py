"""Refuses programs that could do more than compute: read other files, or call operators that are not ONNX's own."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import onnx
from onnx import TensorProto

from shared.engine.program_manifest import WEIGHTS_SUFFIX
from shared.errors import ModelError
from shared.model.ordering import subgraphs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STANDARD_DOMAINS = frozenset({"", "ai.onnx"})
"""The domains of ONNX's own operators; operators of others can be any code that was added to onnxruntime."""

_OWN_WEIGHTS = re.compile(rf"[0-9a-f]{{64}}{re.escape(WEIGHTS_SUFFIX)}")


def check_program(path: Path) -> None:
    """Check the operators of a program, and the files of its weights, before onnxruntime opens it.

    Raises ModelError, which says what is wrong.
    """
    try:
        model = onnx.load(path, load_external_data=False)
    except Exception as error:  # of protobuf, and what its C++ code raises
        raise ModelError("the program is no ONNX model") from error
    if model.functions:
        raise ModelError("the program has functions of its own")
    for graph in _graphs(model.graph):
        for node in graph.node:
            if node.domain not in STANDARD_DOMAINS or not onnx.defs.has(node.op_type):
                raise ModelError(f"the program has an unknown operator, {node.domain}:{node.op_type}"[:200])
        for tensor in _tensors(graph):
            if tensor.data_location == TensorProto.EXTERNAL:
                _check_location(tensor)


def _graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    """Yield a graph and all its subgraphs."""
    yield graph
    for node in graph.node:
        for inner in subgraphs(node):
            yield from _graphs(inner)


def _tensors(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    """Yield all tensors of a graph, without those of its subgraphs."""
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    for node in graph.node:
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)
            for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
                yield from (sparse.values, sparse.indices)


def _check_location(tensor: onnx.TensorProto) -> None:
    """Check that a tensor is in a file of weights beside the program; the edge has compared the hash of that file."""
    locations = [entry.value for entry in tensor.external_data if entry.key == "location"]
    if len(locations) != 1 or not _OWN_WEIGHTS.fullmatch(locations[0]):
        raise ModelError(f"the program would read another file, {', '.join(locations)!r}"[:200])
