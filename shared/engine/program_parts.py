"""The graph of a program without its large weights, which are files of their own, named by their SHA-256.

Two plans of one network share most weights: the program of the whole network has all that the programs of its tiles
have. Each array is sent and kept once, whatever the number of graphs that name it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.engine.program_manifest import WEIGHTS_SUFFIX

if TYPE_CHECKING:
    from collections.abc import Mapping

MIN_APART_BYTES = 2**16
"""Smaller arrays stay in the graph: a request for each would cost more than sending them with every program."""


@dataclass(frozen=True, slots=True)
class ProgramInParts:
    """The graph of a program, and its large weights by their SHA-256, in the order of the graph."""

    graph: bytes
    weights: Mapping[str, bytes]

    def join(self) -> bytes:
        """Return the program in one piece."""
        import onnx  # noqa: PLC0415  (a gateway keeps programs without opening them)
        from onnx import TensorProto  # noqa: PLC0415

        model = onnx.load_from_string(self.graph)
        for tensor in model.graph.initializer:
            if tensor.data_location == TensorProto.EXTERNAL:
                (location,) = (entry.value for entry in tensor.external_data if entry.key == "location")
                tensor.raw_data = self.weights[location.removesuffix(WEIGHTS_SUFFIX)]
                tensor.ClearField("external_data")
                tensor.ClearField("data_location")
        return bytes(model.SerializeToString(deterministic=True))


@dataclass(frozen=True, slots=True)
class BuiltProgram:
    """A program with its SHA-256 and size in one piece; `content` is in parts if it has large weights."""

    sha256: str
    size: int
    content: bytes | ProgramInParts

    @classmethod
    def from_bytes(cls, program: bytes) -> BuiltProgram:
        """Take a program apart."""
        parts = take_apart(program)
        whole = program if parts is None else parts.join()
        return cls(hashlib.sha256(whole).hexdigest(), len(whole), parts or program)

    def join(self) -> bytes:
        """Return the program in one piece."""
        return self.content if isinstance(self.content, bytes) else self.content.join()


def take_apart(program: bytes) -> ProgramInParts | None:
    """Return the parts of a program; None when it has no large weights."""
    import onnx  # noqa: PLC0415  (see ProgramInParts.join)
    from google.protobuf.message import DecodeError  # noqa: PLC0415
    from onnx import TensorProto  # noqa: PLC0415

    try:
        model = onnx.load_from_string(program)
    except DecodeError:
        return None
    weights: dict[str, bytes] = {}
    for tensor in model.graph.initializer:
        if len(tensor.raw_data) >= MIN_APART_BYTES:
            sha256 = hashlib.sha256(tensor.raw_data).hexdigest()
            weights.setdefault(sha256, tensor.raw_data)
            entries = {"location": f"{sha256}{WEIGHTS_SUFFIX}", "offset": "0", "length": str(len(tensor.raw_data))}
            tensor.ClearField("raw_data")
            tensor.ClearField("external_data")
            tensor.data_location = TensorProto.EXTERNAL
            for key, value in entries.items():
                tensor.external_data.add(key=key, value=value)
    return ProgramInParts(bytes(model.SerializeToString(deterministic=True)), weights) if weights else None
