"""The files that a bare loop reads: the whole network, and a description with what decoding needs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from shared.model.spec import CompleteSpec


@dataclass(frozen=True, slots=True)
class BareModel:
    """A network in an ONNX file, and its description. `input_size`: (height, width); `outputs`: shapes by name."""

    file: Path
    spec: CompleteSpec
    input_size: tuple[int, int]
    outputs: dict[str, tuple[int, ...]]

    def write(self, path: Path) -> None:
        """Write the description. The network's file must exist already."""
        document = {
            "file": str(self.file),
            "spec": self.spec.model_dump(mode="json"),
            "input_size": self.input_size,
            "outputs": self.outputs,
        }
        path.write_text(json.dumps(document))

    @classmethod
    def read(cls, path: Path) -> BareModel:
        """Read a description that `write` wrote."""
        values = json.loads(path.read_text())
        return cls(
            Path(values["file"]),
            CompleteSpec.model_validate(values["spec"]),
            (values["input_size"][0], values["input_size"][1]),
            {name: tuple(shape) for name, shape in values["outputs"].items()},
        )
