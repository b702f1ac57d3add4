"""The manifest of a prepared program: its files with checksums, and the places of its weights."""

from __future__ import annotations

import hashlib
import json
from dataclasses import astuple, dataclass, field
from typing import TYPE_CHECKING, Any

from shared.engine.lanes import MeasuredLanes, TileLanes
from shared.ftp.stage import Form

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MANIFEST_FILE = "manifest.json"
WEIGHTS_FILE = "weights.bin"
"""The file of small arrays; large ones have files of their own, named by their SHA-256."""

WEIGHTS_SUFFIX = ".weights"
"""Suffix of the files with a program's large weights, which are in the folder of the program's graph."""

PIXELS_INPUT = "pixels"
"""Program input: one tile, uint8 (1, h, w, 3)."""

WHOLE_METADATA = "whole"
"""Metadata key of the program of a whole network. Its value is the preprocessing (JSON), done outside of the graph.

The input of such a program is float32 (1, 3, H, W), its outputs are those of the network, of any type and shape.
"""

EMPTY_FILE = "empty.bin"
"""The file that prepared models name for their weights. It must exist, but the weights are passed as initializers."""

PROGRAM_FORMAT = 4
"""Version of the format of these folders; folders of other versions are ignored."""

EXIT_NOT_EXACT = 3
EXIT_REFUSED = 4
EXIT_EXCEEDED = 5
"""Exit codes of shared.engine.preparing for a program that cannot be prepared; after other failures it is run again."""

ALIGNMENT_BYTES = 64
"""The alignment that vector instructions prefer."""


@dataclass(frozen=True, slots=True)
class StoredWeight:
    """One constant: its name in a model, the name of its numpy dtype, its shape, its file, and its offset there."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    file: str
    offset: int


@dataclass(frozen=True, slots=True)
class PreparedKind:
    """The model for the tiles of one form.

    `answers` is a sample of its results for the trial tile when it was prepared, see shared.engine.trial.
    """

    file: str
    form: Form
    weights: tuple[StoredWeight, ...]
    answers: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class ProgramManifest:
    """All kinds of tile of a stage, and the SHA-256 of each file by its name.

    `refused` is the reason why the program cannot be prepared; the manifest has no kinds then. `lanes` are the measured
    ones, each for a number of cores.
    """

    kinds: tuple[PreparedKind, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    refused: str = ""
    lanes: tuple[MeasuredLanes, ...] = ()

    def encode(self) -> bytes:
        """Return the manifest in JSON, with its own checksum."""
        text = json.dumps(
            {
                "kinds": [
                    [kind.file, form_to_json(kind.form), [astuple(weight) for weight in kind.weights], kind.answers]
                    for kind in self.kinds
                ],
                "files": dict(self.files),
                "refused": self.refused,
                "lanes": [[each.cores, each.cells, each.lanes.count, each.lanes.threads] for each in self.lanes],
            }
        )
        return json.dumps({"sha256": hashlib.sha256(text.encode()).hexdigest(), "manifest": text}).encode()

    @classmethod
    def decode(cls, data: bytes) -> ProgramManifest:
        """Decode the result of encode. Raises ValueError when it was changed."""
        try:
            outer = json.loads(data)
            text = outer["manifest"]
            if set(outer) != {"sha256", "manifest"} or hashlib.sha256(text.encode()).hexdigest() != outer["sha256"]:
                raise ValueError("its checksum differs")
            rows = json.loads(text)
            kinds = tuple(
                PreparedKind(
                    file,
                    form_from_json(form),
                    tuple(StoredWeight(name, dtype, tuple(shape), *place) for name, dtype, shape, *place in weights),
                    tuple(answers),
                )
                for file, form, weights, answers in rows["kinds"]
            )
            lanes = tuple(
                MeasuredLanes(cores, cells, TileLanes(count, threads)) for cores, cells, count, threads in rows["lanes"]
            )
            return cls(kinds, rows["files"], rows["refused"], lanes)
        except (KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ValueError("it is not a manifest") from error


def file_checksum(path: Path) -> str:
    """Return the SHA-256 of a file. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def form_to_json(form: Form) -> list[Any]:
    return [form.sizes, form.pads, form.taken, form.given]


def form_from_json(row: list[Any]) -> Form:
    """Decode the result of form_to_json. Raises ValueError or TypeError for anything else."""
    sizes, pads, taken, given = (tuple(tuple(int(number) for number in numbers) for numbers in part) for part in row)
    return Form(sizes, pads, taken, given)  # type: ignore[arg-type]
