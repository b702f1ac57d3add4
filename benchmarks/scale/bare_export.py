"""Writes a model of the catalogue in the form that a bare loop reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.scale.bare_model import BareModel
from gateway.models.catalogue import open_model

if TYPE_CHECKING:
    from pathlib import Path


def export_bare(name: str, folder: Path) -> Path:
    """Write the network and its description into the folder, and return the path of the description.

    If the description exists already, nothing is written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    model = open_model(name)
    path = folder / f"{model.spec.name}.bare.json"
    if not path.exists():
        file = folder / f"{model.spec.name}.bare.onnx"
        file.write_bytes(model.proto.SerializeToString())
        shapes = {output: tuple(model.network.shapes[output]) for output in model.network.outputs}
        BareModel(file.resolve(), model.spec, model.network.input_size, dict(model.outputs) or shapes).write(path)
    return path
