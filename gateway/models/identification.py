"""Identifies a loaded model: its preprocessing, its decoder and its labels."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gateway.models.metadata import read_metadata
from gateway.models.probe import run_probe
from shared.detection.decoding.anchors import DARKNET
from shared.detection.decoding.family import shapes_of
from shared.detection.decoding.labels import usual_labels
from shared.detection.decoding.recognition import choose_family, classes_of, families_of, named_decoder, output_shapes
from shared.errors import ModelError
from shared.model.first_layers import first_layers
from shared.model.spec import CompleteSpec, ModelSpec, Preprocessing

if TYPE_CHECKING:
    import onnx

    from gateway.models.metadata import Metadata
    from shared.detection.decoding.family import Family, Shapes
    from shared.model.first_layers import FirstLayers
    from shared.model.network import Network


@dataclass(frozen=True, slots=True)
class IdentifiedModel:
    """A complete description of a model, the shapes of its outputs, and why no decoder reads them ("": one does)."""

    spec: CompleteSpec
    outputs: Shapes = field(default_factory=dict)
    unreadable: str = ""


def identify(spec: ModelSpec, model: onnx.ModelProto, network: Network) -> IdentifiedModel:
    """Complete a description from the file's metadata, the shapes of its outputs, and their values for a probe picture.

    `model` is in plain form. Raises ModelError when the description names a decoder that does not fit the outputs. If
    it names none, and no decoder reads the outputs, that is no error, because the model can still be cut.
    """
    metadata = read_metadata({entry.key: entry.value for entry in model.metadata_props})
    spec = spec.model_copy(update={"labels": spec.labels or metadata.names})
    layers = first_layers(model, network.input)
    shapes = output_shapes(network)
    if named_decoder(spec) is not None and all(shapes.values()):
        families_of(shapes, network.input_size, spec)
    try:
        _refuse_task(metadata, spec)
        family, shapes = _family(spec, model, network, layers)
    except ModelError as error:
        preparation = spec.preprocessing or layers.adapt(Preprocessing())
        return IdentifiedModel(_completed(spec, None, preparation, spec.labels), shapes, str(error))
    classes = classes_of(family, shapes, network.input_size, spec)
    preparation = spec.preprocessing or layers.adapt(family.preprocessing)
    labels = spec.labels or usual_labels(family.name, classes)
    return IdentifiedModel(_completed(spec, family.name, preparation, labels), shapes)


def _refuse_task(metadata: Metadata, spec: ModelSpec) -> None:
    if metadata.refusal and named_decoder(spec) is None:
        raise ModelError(f"model {spec.name}: {metadata.refusal}")


def _family(spec: ModelSpec, model: onnx.ModelProto, network: Network, layers: FirstLayers) -> tuple[Family, Shapes]:
    """Return the family, and the shapes of the outputs for the probe picture. Raises ModelError."""
    shapes, size = output_shapes(network), network.input_size
    families = families_of(shapes, size, spec) if all(shapes.values()) else []
    if families == [DARKNET]:  # all numbers are plausible in its maps, so a probe would tell nothing
        return DARKNET, shapes
    usual = layers.adapt(families[0].preprocessing if families else Preprocessing())
    outputs = run_probe(model, network, spec.preprocessing or usual)
    shapes = shapes_of(outputs)
    return choose_family(families or families_of(shapes, size, spec), outputs, size, spec), shapes


def _completed(
    spec: ModelSpec, decoder: str | None, preprocessing: Preprocessing, labels: tuple[str, ...]
) -> CompleteSpec:
    return CompleteSpec(**(dict(spec) | {"decoder": decoder, "preprocessing": preprocessing, "labels": labels}))
