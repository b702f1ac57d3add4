"""Opens models by name or by file, and chooses their cut."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from gateway.models.metadata import read_metadata
from gateway.models.untileable import why_untileable
from shared.errors import ConfigurationError, CutError, ModelError
from shared.ftp.cuts import best_cut, possible_cuts
from shared.model.spec import CompleteSpec, ModelSpec, read_spec

if TYPE_CHECKING:
    from collections.abc import Sequence

    import onnx

    from shared.detection.decoding.family import Shapes
    from shared.engine.program_parts import BuiltProgram
    from shared.ftp.grid import Grid
    from shared.ftp.stage import Stage
    from shared.model.network import Network
    from shared.model.picture_input import PictureForm
    from shared.model.spec import Preprocessing

MODELS = Path(__file__).parent
DEFAULT_MODEL = "nanodet-g"


class GraphMaker(Protocol):
    """Makes the graphs of a model that edges and the gateway run; see LocalGraphs."""

    def programs(self, stages: Sequence[Stage], preprocessing: Preprocessing) -> tuple[BuiltProgram, ...]: ...

    def tail(self, cut: Sequence[str]) -> bytes: ...

    def whole_head(self, cut: Sequence[str]) -> tuple[bytes, PictureForm]: ...


class GraphSource(GraphMaker, Protocol):
    """Makes graphs in another process, which has the weights; `close` ends it."""

    def close(self) -> None: ...


@dataclass(slots=True)
class Model:
    """A loaded model: its description, the file as it is (`original`), and the same in plain form (`proto`).

    `outputs` are the shapes of its outputs by name. `unreadable` is the reason why no decoder reads them, else "".
    `untileable` is the reason why the network has no convolution that can be tiled, so that it only runs whole, else
    "". With a `source`, the file and the weights are only in that process, and `original` and `proto` are missing.
    """

    spec: CompleteSpec
    original: onnx.ModelProto
    proto: onnx.ModelProto
    network: Network
    outputs: Shapes = field(default_factory=dict)
    unreadable: str = ""
    untileable: str = ""
    source: GraphSource | None = None

    @property
    def graphs(self) -> GraphMaker:
        """Return the maker of this model's graphs."""
        if self.source is not None:
            return self.source
        from gateway.models.graphs import LocalGraphs  # noqa: PLC0415  (it imports onnx, which a gateway must not load)

        return LocalGraphs(self.original, self.proto, self.network)

    def forget_weights(self) -> None:
        """Free the memory of the weights, by ending the `source` process if there is one.

        Graphs can still be made afterwards, but slowly, because the model is loaded again.
        """
        if self.source is not None:
            self.source.close()


def built_in_models() -> list[str]:
    """Return the names of the models that come with the project."""
    return sorted(path.parent.name for path in MODELS.glob("*/*.json"))


def open_model(name: str, weights: Path | None = None) -> Model:
    """Open a built-in model by name, an ONNX file or a Darknet .cfg.

    A description may be beside the file (same name, .json). A .cfg needs `weights`; the default is the file of the same
    name beside it. Raises ConfigurationError for an unknown name, and ModelError for a file that is not a model or does
    not match its description.
    """
    path = MODELS / name / f"{name}.json" if name in built_in_models() else Path(name)
    if weights is not None and path.suffix != ".cfg":
        raise ConfigurationError(
            f"--weights {weights}: model {name} has its own weights; remove it: only a Darknet .cfg needs weights"
        )
    if path.suffix == ".cfg":
        return _open_darknet(path, weights or path.with_suffix(".weights"))
    if path.suffix not in {".json", ".onnx"} or not (name in built_in_models() or path.suffix == ".onnx"):
        raise ConfigurationError(
            f"unknown model {name!r}: it is neither built in ({', '.join(built_in_models())}) nor an .onnx or .cfg file"
        )
    from shared.model.loading import describe_network, load_onnx, plain_model  # noqa: PLC0415  (it imports onnx)

    spec = _description(path)
    original = load_onnx(path.parent / spec.file)
    metadata = read_metadata({entry.key: entry.value for entry in original.metadata_props})
    proto = plain_model(original, spec.name, spec.input or metadata.size)
    network = describe_network(proto, spec.name)
    return _recognised(spec, original, proto, network)


def _recognised(spec: ModelSpec, original: onnx.ModelProto, proto: onnx.ModelProto, network: Network) -> Model:
    from gateway.models.identification import identify  # noqa: PLC0415  (it imports onnx)

    found = identify(spec, proto, network)
    untileable = why_untileable(network, {node.domain for node in proto.graph.node})
    return Model(found.spec, original, proto, network, found.outputs, found.unreadable, untileable)


def _description(path: Path) -> ModelSpec:
    """Return the description beside a model's file; without one, a description with only the names."""
    described = path.with_suffix(".json")
    return read_spec(described) if described.exists() else ModelSpec(name=path.stem, file=path.name)


def _open_darknet(cfg: Path, weights: Path) -> Model:
    from shared.model.darknet import load_darknet  # noqa: PLC0415  (it imports onnx)
    from shared.model.loading import describe_network  # noqa: PLC0415

    darknet = load_darknet(cfg, weights)
    spec = _description(cfg)
    known = {"heads": darknet.heads, "labels": spec.labels or _names(cfg)}
    network = describe_network(darknet.model, spec.name)
    return _recognised(spec.model_copy(update=known), darknet.model, darknet.model, network)


def _names(cfg: Path) -> tuple[str, ...]:
    """Return the labels in the .names file beside a .cfg, which has one on each line; () without that file.

    Raises ModelError when it is not text.
    """
    try:
        return tuple(cfg.with_suffix(".names").read_text("utf-8").split("\n")[:-1])
    except OSError:
        return ()
    except UnicodeDecodeError as error:
        file = cfg.with_suffix(".names")
        raise ModelError(f"{file} is not text in UTF-8: {error}; write one label on each line") from error


def why_whole_only(model: Model) -> str:
    """Return the reason why a network cannot be cut for tiles, so that it runs whole only; "" when it can."""
    if model.untileable:
        return model.untileable
    try:
        possible_cuts(model.network)
    except CutError as error:
        return str(error)
    return ""


def choose_cut(model: Model, requested: str | None, grid: Grid) -> tuple[str, ...]:
    """Return the requested cut ("concat_28", or several maps "a,b"), else the model's own, else the best one.

    Raises ConfigurationError for an invalid cut, CutError or ModelError for a network that cannot be tiled.
    """
    if model.untileable:
        raise ModelError(model.untileable)
    if requested:
        cut = tuple(part.strip() for part in requested.split(",") if part.strip())
        if not cut:
            raise ConfigurationError(
                f"invalid cut {requested!r}: it names no layer; write for example concat_28, or several as a,b"
            )
        return tuple(model.network.find_tensor(name) for name in cut)
    return model.spec.cut or best_cut(model.network, grid)
