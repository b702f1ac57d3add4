"""Models by name or by file."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import onnx

from gateway.models.decoding.metadata import read_metadata
from gateway.models.identification import identify
from gateway.models.untileable import refuse_without_convolution
from shared.errors import ConfigurationError, ModelError
from shared.ftp.cuts import best_cut
from shared.model.darknet import load_darknet
from shared.model.loading import describe_network, load_onnx, plain_model
from shared.model.spec import CompleteSpec, ModelSpec, read_spec

if TYPE_CHECKING:
    from gateway.models.decoding.family import Shapes
    from shared.ftp.grid import Grid
    from shared.model.network import Network

MODELS = Path(__file__).parent
DEFAULT_MODEL = "nanodet-g"


@dataclass(slots=True)
class Model:
    """A loaded model and what must be known to use it: the file as it was, and the same in plain form.

    `outputs` are the shapes of its outputs; `unreadable` is why no decoder reads them, "" when one does.
    """

    spec: CompleteSpec
    original: onnx.ModelProto
    proto: onnx.ModelProto
    network: Network
    outputs: Shapes = field(default_factory=dict)
    unreadable: str = ""

    def forget_weights(self) -> None:
        """Let go of the weights, which are large, once programs and sessions have what they need of them."""
        self.original = self.proto = onnx.ModelProto()


def built_in_models() -> list[str]:
    """Names of the models that come with the project."""
    return sorted(path.parent.name for path in MODELS.glob("*/*.json"))


def open_model(name: str, weights: Path | None = None) -> Model:
    """A built-in model by name, an ONNX file or a Darknet .cfg, each with its description (same name, .json) beside it.

    A .cfg needs its `weights`: the file of the same name beside it, unless another is named.
    Raises ConfigurationError for an unknown name, ModelError for a file that is no model, or not the one described.
    """
    path = MODELS / name / f"{name}.json" if name in built_in_models() else Path(name)
    if weights is not None and path.suffix != ".cfg":
        raise ConfigurationError(
            f"--weights {weights}: model {name} has its own weights; only a Darknet .cfg needs them"
        )
    if path.suffix == ".cfg":
        return _open_darknet(path, weights or path.with_suffix(".weights"))
    if path.suffix not in {".json", ".onnx"} or not (name in built_in_models() or path.suffix == ".onnx"):
        raise ConfigurationError(
            f"unknown model {name!r}: it is neither built in ({', '.join(built_in_models())}) nor an .onnx or .cfg file"
        )
    spec = _description(path)
    original = load_onnx(path.parent / spec.file)
    said = read_metadata({entry.key: entry.value for entry in original.metadata_props})
    proto = plain_model(original, spec.name, spec.input or said.size)
    network = describe_network(proto, spec.name)
    refuse_without_convolution(network, {node.domain for node in proto.graph.node})
    return _recognised(spec, original, proto, network)


def _recognised(spec: ModelSpec, original: onnx.ModelProto, proto: onnx.ModelProto, network: Network) -> Model:
    found = identify(spec, proto, network)
    return Model(found.spec, original, proto, network, found.outputs, found.unreadable)


def _description(path: Path) -> ModelSpec:
    """What is said of a model beside its file, or nothing but its name."""
    described = path.with_suffix(".json")
    return read_spec(described) if described.exists() else ModelSpec(name=path.stem, file=path.name)


def _open_darknet(cfg: Path, weights: Path) -> Model:
    darknet = load_darknet(cfg, weights)
    spec = _description(cfg)
    said = {"heads": darknet.heads, "labels": spec.labels or _names(cfg)}
    network = describe_network(darknet.model, spec.name)
    return _recognised(spec.model_copy(update=said), darknet.model, darknet.model, network)


def _names(cfg: Path) -> tuple[str, ...]:
    """Darknet's own list of labels, one on each line, where it lies beside the .cfg under the same name."""
    try:
        return tuple(cfg.with_suffix(".names").read_text("utf-8").split("\n")[:-1])
    except OSError:
        return ()
    except UnicodeDecodeError as error:
        raise ModelError(f"{cfg.with_suffix('.names')} is not a list of labels: {error}") from error


def choose_cut(model: Model, asked: str | None, grid: Grid) -> tuple[str, ...]:
    """The cut that was asked for ("concat_28", or several maps "a,b"), else the model's own, else the best one."""
    if asked:
        cut = tuple(part.strip() for part in asked.split(",") if part.strip())
        if not cut:
            raise ConfigurationError(f"cut {asked!r} names no layer; write for example concat_28, or several as a,b")
        return tuple(model.network.find_tensor(name) for name in cut)
    return model.spec.cut or best_cut(model.network, grid)
