"""Which family of detectors a network belongs to, by the description or by the shapes of its outputs. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.decoding.anchors import DARKNET
from gateway.decoding.family import COCO_CLASSES
from gateway.decoding.nanodet import NANODET
from gateway.decoding.ssd import SSD
from gateway.decoding.ultralytics import YOLOV5, YOLOV8
from gateway.decoding.yolox import YOLOX
from shared.errors import ModelError

if TYPE_CHECKING:
    from gateway.decoding.family import Family, Shapes, Size
    from shared.model.network import Network
    from shared.model.spec import ModelSpec

FAMILIES = {family.name: family for family in (NANODET, DARKNET, YOLOX, YOLOV5, YOLOV8, SSD)}


def recognise(shapes: Shapes, input_size: Size, spec: ModelSpec) -> Family | None:
    """The family that outputs of these shapes by name belong to; None when none or several fit.

    With C classes, and n3 or n4 cells in all at the strides 8, 16, 32 or 8, 16, 32, 64:

    ================================================  ===============  ===============================================
    outputs                                           family           what else they could be
    ================================================  ===============  ===============================================
    those of the description's heads                  darknet          nothing, the heads say it
    scores_8, boxes_8 and so on for 16, 32            nanodet
    one (1, n4, C + 32) or (1, n4, C + 44)            nanodet (plus)
    one (1, n3, C + 32) or (1, n3, C + 44)            nanodet          yolox with 27 or 39 classes more
    one (1, n3, C + 5)                                yolox            nanodet with so many classes less; yolov5 if a
                                                                       description says so (decoded by the exporter)
    one (1, 3 n3, C + 5) or (1, 3 n4, C + 5)          yolov5
    one (1, C + 4, n3) or (1, C + 4, n4)              yolov8
    two (1, N, 4) and (1, N, 1 + C)                   ssd
    ================================================  ===============  ===============================================

    Where several fit, the number of labels tells; without labels, it is the one with the 80 classes of COCO.
    """
    fitting = _fitting(shapes, input_size, spec)
    wanted = len(spec.labels) or (COCO_CLASSES if len(fitting) > 1 else 0)
    families = [family for family, classes in fitting if not wanted or wanted in classes]
    return families[0] if len(families) == 1 else None


def output_shapes(network: Network) -> Shapes:
    """What recognise and family_of want to know of a network."""
    return {name: network.shapes.get(name, ()) for name in network.outputs}


def named_decoder(spec: ModelSpec) -> str | None:
    """The decoder that the description asks for; with heads it needs no other word."""
    return DARKNET.name if spec.decoder is None and spec.heads else spec.decoder


def family_of(shapes: Shapes, input_size: Size, spec: ModelSpec) -> Family:
    """The family that the description names, else the one that is recognised.

    Raises ModelError, with what was found and what was expected, when there is none or it does not fit.
    """
    name = named_decoder(spec)
    if name is None:
        family = recognise(shapes, input_size, spec)
        if family is None:
            raise ModelError(_unrecognised(shapes, input_size, spec))
        return family
    found = _found(shapes, input_size)
    named = FAMILIES.get(name)
    if named is None:
        raise ModelError(
            f"model {spec.name}: decoder {name!r} is unknown (known: {', '.join(FAMILIES)}); "
            f"name one in its description, for these outputs: {found}"
        )
    classes = named.classes(shapes, input_size, spec)
    if not classes:
        raise ModelError(
            f"model {spec.name}: its outputs are not those of decoder {named.name}: "
            f"expected {named.look(input_size)}; found {found}"
        )
    if spec.labels and len(spec.labels) not in classes:
        raise ModelError(
            f"model {spec.name}: its description has {len(spec.labels)} labels, but its outputs hold "
            f"{_either(classes)} classes for decoder {named.name}: {named.look(input_size)}; found {found}"
        )
    return named


def _fitting(shapes: Shapes, input_size: Size, spec: ModelSpec) -> list[tuple[Family, tuple[int, ...]]]:
    """The families that such outputs can come from, and with how many classes."""
    families = [DARKNET] if spec.heads else FAMILIES.values()
    possible = ((family, family.classes(shapes, input_size, spec)) for family in families)
    return [(family, classes) for family, classes in possible if classes]


def _unrecognised(shapes: Shapes, input_size: Size, spec: ModelSpec) -> str:
    found = _found(shapes, input_size)
    fitting = _fitting(shapes, input_size, spec)
    if fitting:
        guesses = " or ".join(f"{family.name} with {_either(classes)} classes" for family, classes in fitting)
        labels = f"but its description has {len(spec.labels)} labels" if spec.labels else "and no labels tell which"
        return (
            f"model {spec.name}: its outputs, {found}, could be {guesses}, {labels}; "
            'write "decoder" and as many "labels" as there are classes into its description'
        )
    looks = "; ".join(f"{family.name} has {family.look(input_size)}" for family in FAMILIES.values())
    return (
        f"model {spec.name}: no decoder is known for its outputs, {found}. Of the known ones, {looks}. "
        'Export the model so, and write "decoder" and "labels" into its description (for Darknet\'s layers "heads")'
    )


def _found(shapes: Shapes, input_size: Size) -> str:
    outputs = ", ".join(f"{name} {list(shape)}" for name, shape in shapes.items())
    return f"{outputs} (input {input_size[0]}x{input_size[1]})"


def _either(classes: tuple[int, ...]) -> str:
    return " or ".join(str(number) for number in classes)
