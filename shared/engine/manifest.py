"""What lies in the folder of a prepared program, and how its weights are found there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from shared.ftp.stage import Form

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
    """The model for the tiles of one form."""

    file: str
    form: Form
    weights: tuple[Weight, ...]


@dataclass(frozen=True, slots=True)
class Manifest:
    """All kinds of tile of a stage."""

    kinds: tuple[Kind, ...]

    def to_json(self) -> list[Any]:
        return [
            [
                kind.file,
                form_to_json(kind.form),
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
                    form_from_json(form),
                    tuple(Weight(name, dtype, tuple(shape), offset) for name, dtype, shape, offset in weights),
                )
                for file, form, weights in rows
            )
        )


def form_to_json(form: Form) -> list[Any]:
    return [form.sizes, form.pads, form.taken, form.given]


def form_from_json(row: list[Any]) -> Form:
    """Raises ValueError and TypeError for what form_to_json did not write."""
    sizes, pads, taken, given = (tuple(tuple(int(number) for number in numbers) for numbers in part) for part in row)
    return Form(sizes, pads, taken, given)  # type: ignore[arg-type]
