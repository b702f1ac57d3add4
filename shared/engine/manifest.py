"""What lies in the folder of a prepared program, and how its weights are found there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from shared.ftp.tiles import Pads

MANIFEST = "manifest.json"
WEIGHTS = "weights.bin"

EMPTY = "empty.bin"
"""The file that the models name for their weights: onnxruntime wants it to exist, and is then given them otherwise."""

NOT_EXACT = 3
"""Exit code of preparing for a program that cannot be prepared; other failures may pass, and are tried again."""

ALIGNMENT = 64
"""Bytes; what vector instructions like best."""


@dataclass(frozen=True, slots=True)
class Weight:
    """One constant: its name in a model, numpy's name of its type, its shape, its place in the file of weights."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    offset: int


@dataclass(frozen=True, slots=True)
class Kind:
    """The model for one kind of tile."""

    file: str
    pads: tuple[Pads, ...]
    weights: tuple[Weight, ...]


@dataclass(frozen=True, slots=True)
class Manifest:
    """All kinds of a stage."""

    kinds: tuple[Kind, ...]

    def to_json(self) -> list[Any]:
        return [
            [
                kind.file,
                kind.pads,
                [[weight.name, weight.dtype, weight.shape, weight.offset] for weight in kind.weights],
            ]
            for kind in self.kinds
        ]

    @classmethod
    def from_json(cls, rows: list[Any]) -> Manifest:
        """Raises ValueError and TypeError for what to_json did not write."""
        return cls(
            tuple(
                Kind(
                    file,
                    tuple((top, left, bottom, right) for top, left, bottom, right in pads),
                    tuple(Weight(name, dtype, tuple(shape), offset) for name, dtype, shape, offset in weights),
                )
                for file, pads, weights in rows
            )
        )
