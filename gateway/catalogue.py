"""Models by name or by file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.decoding.recognition import family_of, named_decoder, output_shapes, recognise
from shared.errors import ConfigurationError
from shared.ftp.cuts import deepest_cut
from shared.model.loading import describe, load_onnx, plain_model
from shared.model.spec import CompleteSpec, ModelSpec, Preprocessing, read_spec

if TYPE_CHECKING:
    import onnx

    from shared.model.network import Network

MODELS = Path(__file__).parent / "models"
DEFAULT_MODEL = "nanodet-g"


@dataclass(frozen=True)
class Model:
    """A loaded model and what must be known to use it: the file as it was, and the same in plain form."""

    spec: CompleteSpec
    original: onnx.ModelProto
    proto: onnx.ModelProto
    network: Network


def built_in() -> list[str]:
    """Names of the models that come with the project."""
    return sorted(path.parent.name for path in MODELS.glob("*/*.json"))


def open_model(name: str) -> Model:
    """A built-in model by name, or an ONNX file by path with its description (same name, .json) beside it.

    Raises ConfigurationError for an unknown name, ModelError for a file that is no model, or not the one described.
    """
    if name in built_in():
        spec_path = MODELS / name / f"{name}.json"
        spec, file = read_spec(spec_path), spec_path.parent
    else:
        path = Path(name)
        if path.suffix != ".onnx":
            raise ConfigurationError(
                f"unknown model {name!r}: it is neither built in ({', '.join(built_in())}) nor an .onnx file"
            )
        described = path.with_suffix(".json")
        spec = read_spec(described) if described.exists() else ModelSpec(name=path.stem, file=path.name)
        file = path.parent
    original = load_onnx(file / spec.file)
    proto = plain_model(original, spec.name, spec.input)
    network = describe(proto, spec.name)
    return Model(complete(spec, network), original, proto, network)


def complete(spec: ModelSpec, network: Network) -> CompleteSpec:
    """Add to a description what it leaves to be recognised by the network's outputs, as far as they can be.

    Raises ModelError when it names a decoder that does not fit them.
    """
    find = recognise if named_decoder(spec) is None else family_of
    family = find(output_shapes(network), network.input_size, spec)
    usual = Preprocessing() if family is None else family.preprocessing
    said = dict(spec)
    said["decoder"] = None if family is None else family.name
    said["preprocessing"] = spec.preprocessing or usual
    return CompleteSpec(**said)


def choose_cut(model: Model, asked: str | None) -> tuple[str, ...]:
    """The cut that was asked for ("concat_28", or several maps "a,b"), else the model's own, else the deepest."""
    if asked:
        cut = tuple(part.strip() for part in asked.split(",") if part.strip())
        if not cut:
            raise ConfigurationError(f"cut {asked!r} names no layer; write for example concat_28, or several as a,b")
        return cut
    return model.spec.cut or deepest_cut(model.network)
