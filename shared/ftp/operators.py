"""Operators that can be tiled, and the regions of their inputs that a region of their output needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from shared.errors import CutError
from shared.ftp.axes import Axis, Enlarged, Transposed, Window
from shared.ftp.region import Region
from shared.model.network import SLIDING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from shared.model.arrays import Shape
    from shared.model.network import Attribute, Layer

POINTWISE = frozenset(
    [
        "Abs", "Add", "And", "BatchNormalization", "Cast", "Ceil", "Celu", "Clip", "Concat", "Cos", "DequantizeLinear",
        "Div", "Dropout", "Elu", "Equal", "Erf", "Exp", "Floor", "Gelu", "Greater", "GreaterOrEqual", "HardSigmoid",
        "HardSwish", "Identity", "LRN", "LeakyRelu", "Less", "LessOrEqual", "Log", "Max", "Mean", "Min", "Mish", "Mul",
        "Neg", "Not", "Or", "PRelu", "Pow", "QuantizeLinear", "Reciprocal", "Relu", "Round", "Selu", "Sigmoid", "Sign",
        "Sin", "Softplus", "Softsign", "Split", "Sqrt", "Sub", "Sum", "Tanh", "ThresholdedRelu", "Where", "Xor",
    ]
)  # fmt: skip
"""Operators whose output cells depend only on the cells at the same place in their inputs."""

ACROSS_CHANNELS = frozenset(["Gather", "LogSoftmax", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceSum", "Softmax"])
"""Operators that are pointwise when they work along the channels (axis 1)."""

MOVING = frozenset(["DepthToSpace", "Pad", "Resize", "Slice", "SpaceToDepth"])
"""Operators that move cells, or insert new ones between them."""

SPREADING = frozenset(["ConvTranspose", "DepthToSpace", "Resize"])
"""Operators that may produce more cells than needed; the rest is cropped."""

OF_CHANNELS = frozenset(["BatchNormalization", "DequantizeLinear", "LRN", "QuantizeLinear"])
"""Pointwise operators whose constants have a value for each channel, not for each cell."""


def required_region(layer: Layer, output: Region, shapes: Mapping[str, Shape]) -> Region:
    """Return the region of each input that `layer` needs for `output`; it may extend beyond the map's border."""
    rows, columns = axes_of_layer(layer, shapes)
    top, bottom = rows.input_range(output.top, output.bottom)
    left, right = columns.input_range(output.left, output.right)
    return Region(top, left, bottom, right)


def border_value(layer: Layer) -> float:
    """Return the value of cells beyond the border of a map for `layer`."""
    if layer.op == "MaxPool":
        return float("-inf")
    return cast("float", layer.attributes.get("constant_value", 0.0)) if layer.op == "Pad" else 0.0


def axes_of_layer(layer: Layer, shapes: Mapping[str, Shape]) -> tuple[Axis, Axis]:
    """Return the axes (rows, columns) of a layer that can be tiled."""
    return _axis(layer, shapes, 0), _axis(layer, shapes, 1)


def _axis(layer: Layer, shapes: Mapping[str, Shape], axis: int) -> Axis:
    make = _AXES.get(layer.op)
    return make(layer, shapes[layer.inputs[0]], axis) if make else Window()


def _number(layer: Layer, name: str, default: int, axis: int) -> int:
    """Return the value of an attribute for rows (axis 0) or columns (axis 1)."""
    return cast("tuple[int, ...]", layer.attributes.get(name, (default,) * 2))[axis]


def _sliding(layer: Layer, _: Shape, axis: int) -> Axis:
    return Window(
        _number(layer, "kernel_shape", 1, axis),
        _number(layer, "strides", 1, axis),
        _number(layer, "dilations", 1, axis),
        _number(layer, "pads", 0, axis),
    )


def _transposed(layer: Layer, shape: Shape, axis: int) -> Axis:
    return Transposed(
        shape[2 + axis],
        _number(layer, "kernel_shape", 1, axis),
        _number(layer, "strides", 1, axis),
        _number(layer, "dilations", 1, axis),
        _number(layer, "pads", 0, axis),
    )


def _block_size(layer: Layer) -> int:
    return cast("int", layer.attributes["blocksize"])


def _slice(layer: Layer, shape: Shape, axis: int) -> Axis:
    start, step = slice_starts_and_steps(layer, shape).get(2 + axis, (0, 1))
    return Window(stride=step, before=-start)


def _enlarged(layer: Layer, shape: Shape, axis: int) -> Axis:
    scale = cast("tuple[float, ...]", layer.attributes["scales"])[2 + axis]
    linear = layer.attributes.get("mode", "nearest") == "linear"
    rounding = str(layer.attributes.get("nearest_mode", "round_prefer_floor"))
    half_pixel = layer.attributes.get("coordinate_transformation_mode", "half_pixel") != "asymmetric"
    return Enlarged(shape[2 + axis], round(scale), half_pixel, "linear" if linear else rounding)


_AXES: dict[str, Callable[[Layer, Shape, int], Axis]] = {
    "AveragePool": _sliding,
    "Conv": _sliding,
    "ConvTranspose": _transposed,
    "DepthToSpace": lambda layer, shape, axis: Enlarged(shape[2 + axis], _block_size(layer)),
    "MaxPool": _sliding,
    "Pad": lambda layer, _, axis: Window(before=_number(layer, "pads", 0, 2 + axis)),
    "Resize": _enlarged,
    "Slice": _slice,
    "SpaceToDepth": lambda layer, _, __: Window(_block_size(layer), _block_size(layer)),
}


def slice_starts_and_steps(layer: Layer, shape: Shape) -> dict[int, tuple[int, int]]:
    """Return start and step of a Slice of a map of this shape, by axis; starts are not negative."""
    attributes = cast("Mapping[str, tuple[int, ...]]", layer.attributes)
    starts = attributes["starts"]
    axes = attributes.get("axes", tuple(range(len(starts))))
    steps = attributes.get("steps", (1,) * len(starts))
    placed = {}
    for start, axis, step in zip(starts, axes, steps, strict=True):
        size = shape[axis]
        placed[axis % len(shape)] = min(max(start + size if start < 0 else start, 0), size), step
    return placed


def check_tileable(layer: Layer, shapes: Mapping[str, Shape]) -> None:
    """Raise CutError, naming the layer, when it cannot be computed from a region of each input."""
    objection = next(_objections(layer, shapes), None)
    if objection:
        raise CutError(f"layer {layer.name} ({layer.op}) {objection}; cut the network before it")


def _objections(layer: Layer, shapes: Mapping[str, Shape]) -> Iterator[str]:
    if layer.op not in POINTWISE | ACROSS_CHANNELS | SLIDING | MOVING:
        yield "cannot be computed tile by tile"
    if any(len(shapes.get(tensor, ())) != 4 for tensor in (*layer.inputs, *layer.outputs)):
        yield "does not work on feature maps (1, C, H, W) of a fixed size"
    if layer.op in SLIDING | MOVING | {"Gather"} and len(layer.inputs) != 1:
        yield "has weights or a geometry that are computed from the picture"
    if layer.op in SLIDING | MOVING and len(layer.outputs) != 1:
        yield "has several outputs"
    if layer.op in {"Concat", "Split", *ACROSS_CHANNELS}:
        yield from _objections_to_axis(layer)
    if layer.op in POINTWISE:
        size = shapes[layer.outputs[0]][2:]
        if any(shapes[tensor][2:] != size for tensor in layer.inputs):
            yield "broadcasts a smaller map over a larger one"
        if any(not _fits(shape, size) for shape in cell_constants(layer).values()):
            yield "has a constant larger than its map"
    if layer.op in MOVING:
        yield from _objections_to_moving(layer, shapes)


def _objections_to_axis(layer: Layer) -> Iterator[str]:
    attributes = layer.attributes
    axes = attributes.get("axes", attributes.get("axis", -1 if layer.op.endswith("Softmax") else 0))
    if axes not in {1, -3, (1,), (-3,)}:
        yield "does not work along the channels (axis 1)"
    if layer.op.startswith("Reduce") and not attributes.get("keepdims", 1):
        yield "drops the axis of the channels (keepdims 0)"


def _objections_to_moving(layer: Layer, shapes: Mapping[str, Shape]) -> Iterator[str]:
    if layer.op == "Resize":
        yield from _objections_to_resize(layer.attributes)
    if layer.op == "Slice":
        if "starts" not in layer.attributes or "ends" not in layer.attributes:
            yield "takes a slice whose position is computed from the picture"
        elif any(
            step < 1 and axis > 1 for axis, (_, step) in slice_starts_and_steps(layer, shapes[layer.inputs[0]]).items()
        ):
            yield "takes a slice backwards"
    if layer.op == "Pad":
        pads = cast("tuple[int, ...]", layer.attributes.get("pads", ()))
        if len(pads) != 8 or any((pads[0], pads[1], pads[4], pads[5])):
            yield "does not pad rows and columns only"
        if layer.attributes.get("mode", "constant") != "constant":
            yield f"pads with mode {layer.attributes['mode']}, which is not tiled"


def _objections_to_resize(attributes: Mapping[str, Attribute]) -> Iterator[str]:
    scales = cast("tuple[float, ...]", attributes.get("scales", ()))
    mode, coordinates = attributes.get("mode", "nearest"), attributes.get("coordinate_transformation_mode")
    if len(scales) != 4 or any(scale < 1 or scale != round(scale) for scale in scales):
        yield f"resizes by {', '.join(f'{scale:.4g}' for scale in scales[2:])}, which are not integer factors"
    elif scales[:2] != (1, 1):
        yield "resizes channels"
    if mode not in {"nearest", "linear"}:
        yield f"resizes with mode {mode}, which is not tiled"
    if coordinates not in {None, "half_pixel", "pytorch_half_pixel", "asymmetric"}:
        yield f"resizes with {coordinates}, which depends on the size of the whole map"
    if attributes.get("antialias", 0):
        yield "resizes with antialiasing, which is not tiled"


def cell_constants(layer: Layer) -> dict[str, Shape]:
    """Return the shapes of a pointwise layer's constants that have a value for each cell, row or column, by name.

    Shapes are padded in front to four dimensions.
    """
    if layer.op in OF_CHANNELS or layer.op not in POINTWISE:
        return {}
    padded = {name: (1,) * (4 - len(shape)) + shape for name, shape in layer.constants.items()}
    return {name: shape for name, shape in padded.items() if shape[-2:] != (1, 1)}


def _fits(constant: Shape, size: Shape) -> bool:
    return len(constant) == 4 and all(length in {1, whole} for length, whole in zip(constant[2:], size, strict=True))
