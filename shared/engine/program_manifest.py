"""What lies in the folder of a prepared program: its files with their checksums, and how weights are found there."""

from __future__ import annotations

import hashlib
import json
from dataclasses import astuple, dataclass, field
from typing import TYPE_CHECKING, Any

from shared.ftp.stage import Form

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MANIFEST_FILE = "manifest.json"
WEIGHTS_FILE = "weights.bin"

PIXELS_INPUT = "pixels"
"""Program input: one tile, uint8 (1, h, w, 3)."""

EMPTY_FILE = "empty.bin"
"""The file that the models name for their weights: onnxruntime wants it to exist, and is then given them otherwise."""

PROGRAM_FORMAT = 2
"""Counts the ways in which folders have been written; one of another is not looked at."""

EXIT_NOT_EXACT = 3
"""Exit code of preparing for a program that cannot be prepared; other failures may pass, and are tried again."""

ALIGNMENT_BYTES = 64
"""Bytes; what vector instructions like best."""


@dataclass(frozen=True, slots=True)
class StoredWeight:
    """One constant: its name in a model, numpy's name of its type, its shape, its place in the file of weights."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    offset: int


@dataclass(frozen=True, slots=True)
class PreparedKind:
    """The model for the tiles of one form.

    `answers` is a sample of what it made of its trial tile when it was prepared, see shared.engine.trial.
    """

    file: str
    form: Form
    weights: tuple[StoredWeight, ...]
    answers: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class ProgramManifest:
    """All kinds of tile of a stage, and the SHA-256 of each file; or why the program was `refused`."""

    kinds: tuple[PreparedKind, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    refused: str = ""

    def encode(self) -> bytes:
        """Return the manifest as it is written, with a checksum of its own."""
        said = json.dumps(
            {
                "kinds": [
                    [kind.file, form_to_json(kind.form), [astuple(one) for one in kind.weights], kind.answers]
                    for kind in self.kinds
                ],
                "files": dict(self.files),
                "refused": self.refused,
            }
        )  # fmt: skip
        return json.dumps({"sha256": hashlib.sha256(said.encode()).hexdigest(), "manifest": said}).encode()

    @classmethod
    def decode(cls, data: bytes) -> ProgramManifest:
        """Return what encode wrote. Raises ValueError when a bit of it is another."""
        try:
            outer = json.loads(data)
            said = outer["manifest"]
            if set(outer) != {"sha256", "manifest"} or hashlib.sha256(said.encode()).hexdigest() != outer["sha256"]:
                raise ValueError("its checksum differs")
            rows = json.loads(said)
            kinds = tuple(
                PreparedKind(
                    file,
                    form_from_json(form),
                    tuple(StoredWeight(name, dtype, tuple(shape), offset) for name, dtype, shape, offset in weights),
                    tuple(answers),
                )
                for file, form, weights, answers in rows["kinds"]
            )
            return cls(kinds, rows["files"], rows["refused"])
        except (KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ValueError("it is no manifest") from error


def file_checksum(path: Path) -> str:
    """Return the SHA-256 of a file. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def form_to_json(form: Form) -> list[Any]:
    return [form.sizes, form.pads, form.taken, form.given]


def form_from_json(row: list[Any]) -> Form:
    """Raises ValueError and TypeError for what form_to_json did not write."""
    sizes, pads, taken, given = (tuple(tuple(int(number) for number in numbers) for numbers in part) for part in row)
    return Form(sizes, pads, taken, given)  # type: ignore[arg-type]
