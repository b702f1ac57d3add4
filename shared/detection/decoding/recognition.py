"""Finds a network's family of detectors from its description, or from its outputs' shapes and numbers. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.detection.decoding.anchors import DARKNET
from shared.detection.decoding.detr import D_FINE, DETR, RF_DETR, RT_DETR
from shared.detection.decoding.family import ANY_NUMBER, COCO_CLASSES, USUAL_REMEDY, choose_class_count, shapes_of
from shared.detection.decoding.finished_lists import DETECTION_LISTS, MMDEPLOY
from shared.detection.decoding.finished_tables import END2END, PADDLE
from shared.detection.decoding.nanodet import NANODET, PICODET
from shared.detection.decoding.pairs import SSD, YOLO_NAS
from shared.detection.decoding.ultralytics import YOLOV5, YOLOV8, YOLOV8_PARTS
from shared.detection.decoding.unknown_outputs import remedy_for
from shared.detection.decoding.yolox import YOLOV6, YOLOX, YOLOX_DECODED
from shared.detection.decoding.yunet import YUNET
from shared.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.detection.decoding.family import Family, InputSize, Outputs, Shapes
    from shared.model.network import Network
    from shared.model.spec import ModelSpec

FAMILIES = {
    family.name: family
    for family in (
        NANODET, DARKNET, YOLOX, YOLOX_DECODED, YOLOV5, YOLOV6, YOLOV8, YOLOV8_PARTS, YOLO_NAS, SSD, RF_DETR, D_FINE,
        DETR, RT_DETR, END2END, DETECTION_LISTS, PADDLE, MMDEPLOY, PICODET, YUNET,
    )
}  # fmt: skip
"""All families by name; a description has the name as its decoder."""

MAX_OUTPUTS_SHOWN = 3
"""Outputs that a message lists; of the others it has only the number."""

MAX_FAMILIES_SHOWN = 2
"""Families that a message lists."""


def output_shapes(network: Network) -> Shapes:
    """Return the shapes of a network's outputs by name; () for outputs whose size depends on the picture."""
    return {name: network.shapes.get(name, ()) for name in network.outputs}


def named_decoder(spec: ModelSpec) -> str | None:
    """Return the decoder that the description names; one with heads is Darknet's."""
    return DARKNET.name if spec.decoder is None and spec.heads else spec.decoder


def families_of(shapes: Shapes, input_size: InputSize, spec: ModelSpec) -> list[Family]:
    """Return the families that these outputs, shapes by name, can come from; only one if the description names it.

    With labels, only families with as many classes. Raises ModelError, with the outputs that were found and expected,
    when there is none, or the named one does not fit.
    """
    name = named_decoder(spec)
    if name is not None:
        return [_named(name, shapes, input_size, spec)]
    fitting = [(family, family.classes(shapes, input_size, spec)) for family in FAMILIES.values()]
    fitting = [(family, classes) for family, classes in fitting if classes]
    wanted = {len(spec.labels), ANY_NUMBER}
    families = [family for family, classes in fitting if not spec.labels or wanted.intersection(classes)]
    if families:
        return families
    found = describe_outputs(shapes, input_size)
    if fitting:
        guesses = " or ".join(
            f"{family.name} with {_either(classes)} classes" for family, classes in fitting[:MAX_FAMILIES_SHOWN]
        )
        raise ModelError(
            f"model {spec.name}: its outputs, {found}, could be {guesses}, but it has {len(spec.labels)} labels; "
            'write as many "labels" as there are classes into its description'
        )
    raise ModelError(f"model {spec.name}: no decoder reads its outputs, {found}; {remedy_for(shapes, input_size)}")


def family_of(shapes: Shapes, input_size: InputSize, spec: ModelSpec) -> Family:
    """Return the family of an opened model, whose description names it. Raises ModelError, see families_of."""
    families = families_of(shapes, input_size, spec)
    if len(families) > 1:
        raise ModelError(f"model {spec.name}: its outputs, {describe_outputs(shapes, input_size)}, could be of several "
                         f'families; write one as "decoder" into its description: {_names(families)}')  # fmt: skip
    return families[0]


def choose_family(families: Sequence[Family], outputs: Outputs, input_size: InputSize, spec: ModelSpec) -> Family:
    """Return the one of these families that fits the outputs for a picture.

    If several fit, return the one with the 80 classes of COCO.
    Raises ModelError, with the doubt about the numbers, when none or several fit.
    """
    doubts = {family.name: family.doubt(outputs, input_size, spec) for family in families}
    left = [family for family in families if not doubts[family.name]]
    shapes = shapes_of(outputs)
    if len(left) > 1:
        usual = [family for family in left if COCO_CLASSES in family.classes(shapes, input_size, spec)]
        left = usual if len(usual) == 1 else left
    if len(left) == 1:
        return left[0]
    found = describe_outputs(shapes, input_size)
    if left:
        raise ModelError(f"model {spec.name}: its outputs, {found}, could be of {_names(left)}; write one of them as "
                         '"decoder", and its "labels", into its description')  # fmt: skip
    remedy = next((family.remedy for family in families if family.remedy != USUAL_REMEDY), USUAL_REMEDY)
    likely = _names(families[:MAX_FAMILIES_SHOWN])
    raise ModelError(f"model {spec.name}: its outputs, {found}, look like those of {likely}, "
                     f"but {doubts[families[0].name]}; {remedy}")  # fmt: skip


def classes_of(family: Family, shapes: Shapes, input_size: InputSize, spec: ModelSpec) -> int:
    """Return the number of classes of the outputs; 0 when it is not fixed."""
    return choose_class_count(family.classes(shapes, input_size, spec), spec)


def describe_outputs(shapes: Shapes, input_size: InputSize) -> str:
    """Return names and shapes of outputs, and the input's size, as text for a message."""
    texts = [f"{name} {list(shape) if shape else '[?]'}" for name, shape in shapes.items()]
    rest = f" and {len(texts) - MAX_OUTPUTS_SHOWN} more" if len(texts) > MAX_OUTPUTS_SHOWN else ""
    return f"{', '.join(texts[:MAX_OUTPUTS_SHOWN])}{rest} (input {input_size[0]}x{input_size[1]})"


def _named(name: str, shapes: Shapes, input_size: InputSize, spec: ModelSpec) -> Family:
    """Return the family of this name. Raises ModelError.

    It is called for every frame, so the texts of errors are made only when needed.
    """
    named = FAMILIES.get(name)
    if named is None:
        raise ModelError(
            f"model {spec.name}: decoder {name!r} is unknown (known: {', '.join(FAMILIES)}); "
            f"name one in its description, for these outputs: {describe_outputs(shapes, input_size)}"
        )
    classes = named.classes(shapes, input_size, spec)
    if not classes:
        raise ModelError(
            f"model {spec.name}: its outputs are not those of decoder {named.name}: "
            f"expected {named.describe(input_size)}; found {describe_outputs(shapes, input_size)}"
        )
    if spec.labels and not {len(spec.labels), ANY_NUMBER}.intersection(classes):
        raise ModelError(
            f"model {spec.name}: it has {len(spec.labels)} labels, but its outputs hold {_either(classes)} classes for "
            f"decoder {named.name}: {named.describe(input_size)}; found {describe_outputs(shapes, input_size)}"
        )
    return named


def _names(families: Sequence[Family]) -> str:
    return " or ".join(family.name for family in families)


def _either(classes: tuple[int, ...]) -> str:
    return " or ".join(str(number) if number else "any number of" for number in classes)
