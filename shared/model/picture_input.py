"""Recognise the picture input of a file, and convert it to that of the plain form: float32 (1, 3, H, W).

Files differ in element type, order of axes and batch size; some have another input for the picture's size.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from shared.model.ordering import tensors_read_by

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.model.arrays import Array

HEIGHT_AND_WIDTH = frozenset(["im_shape", "image_shape", "img_shape", "image_size", "img_size"])
"""Names of inputs for the (height, width) of the picture, in PaddleDetection and keras-yolo."""

WIDTH_AND_HEIGHT = frozenset(["orig_size", "orig_target_sizes"])
"""Names of inputs for the (width, height) of the picture, in RT-DETR and D-FINE."""

ALL_ONES = frozenset(["pixel_mask", "scale_factor"])
"""Names of inputs for the mask of valid pixels and for the scale of the picture. All their values are 1, because the
picture fills the network's input."""


@dataclass(frozen=True)
class PictureForm:
    """The picture input of a file: its name, element type (uint8 or float32), order of axes and batch size.

    `others` are further inputs by name, with their value for a picture that fills the network's input.
    """

    input: str
    uint8: bool = False
    channels_last: bool = False
    batch: int = 1
    others: Mapping[str, Array] = field(default_factory=dict)

    def make_feeds(self, image: Array) -> dict[str, Array]:
        """Return the values of all inputs of the file for one picture, float32 (1, 3, H, W)."""
        fed = np.ascontiguousarray(image.transpose(0, 2, 3, 1)) if self.channels_last else image
        fed = fed.astype(np.uint8) if self.uint8 else fed
        return {self.input: np.repeat(fed, self.batch, axis=0), **self.others}


def picture_form(model: onnx.ModelProto, size: tuple[int, int] | None = None) -> PictureForm | None:
    """Describe the picture input of a file; None when it has none, or has other inputs with unknown meaning.

    `size` is the picture's (height, width) where the file leaves it open.
    """
    read = {name for node in model.graph.node for name in tensors_read_by(node)}
    constants = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in constants and value.name in read]
    pictures = [value for value in inputs if _is_picture(_lengths(value))]
    if len(pictures) != 1:
        return None
    (picture,) = pictures
    lengths = _lengths(picture)
    channels_last = _has_channels_last(lengths)
    sides = lengths[1:3] if channels_last else lengths[2:]
    picture_size = tuple(length or wanted for length, wanted in zip(sides, size or (0, 0), strict=True))
    others = {value.name: _value_of_other(value, picture_size) for value in inputs if value is not picture}
    if any(value is None for value in others.values()):
        return None
    return PictureForm(
        picture.name,
        picture.type.tensor_type.elem_type == TensorProto.UINT8,
        channels_last,
        max(1, lengths[0]),
        {name: value for name, value in others.items() if value is not None},
    )


def set_single_picture_input(model: onnx.ModelProto, form: PictureForm, size: tuple[int, int] | None) -> None:
    """Change the input to a batch of one, float32, and of `size` (height, width) where the file leaves it open.

    The order of its axes stays. Other inputs become constants, or are removed when unused.
    """
    graph = model.graph
    value = next(value for value in graph.input if value.name == form.input)
    wanted = (1, *(size or (0, 0)), 3) if form.channels_last else (1, 3, *(size or (0, 0)))
    for axis, (dimension, length) in enumerate(zip(value.type.tensor_type.shape.dim, wanted, strict=True)):
        if length and (axis == 0 or dimension.dim_value < 1):
            dimension.dim_value = length
    if form.uint8:
        value.type.tensor_type.elem_type = TensorProto.FLOAT
        _cast_behind_input(graph, form.input)
    read = {name for node in graph.node for name in tensors_read_by(node)}
    kept = [value for value in graph.input if value.name in read and value.name not in form.others]
    del graph.input[:]
    graph.input.extend(kept)
    graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in form.others.items())


def reduce_reshapes_to_one(model: onnx.ModelProto, batch: int) -> None:
    """Change the batch size in the target shape of every Reshape to one. Constants must be folded before."""
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        shape = constants.get(node.input[1]) if node.op_type == "Reshape" else None
        if shape is None:
            continue
        lengths = numpy_helper.to_array(shape).copy()
        if lengths.size and lengths[0] == batch:
            lengths[0] = 1
            node.input[1] = f"{node.output[0]}.shape"
            model.graph.initializer.append(numpy_helper.from_array(lengths, node.input[1]))


def _lengths(value: onnx.ValueInfoProto) -> tuple[int, ...]:
    """Return the lengths of the axes; 0 for an axis whose length is not fixed."""
    return tuple(max(0, dimension.dim_value) for dimension in value.type.tensor_type.shape.dim)


def _is_picture(lengths: tuple[int, ...]) -> bool:
    return len(lengths) == 4 and (lengths[1] in {0, 3} or lengths[3] == 3)


def _has_channels_last(lengths: tuple[int, ...]) -> bool:
    return lengths[3] == 3 and lengths[1] != 3


def _value_of_other(value: onnx.ValueInfoProto, size: tuple[int, ...]) -> Array | None:
    """Return the value of another input than the picture; None when its meaning, or the size, is unknown."""
    name, kind = value.name.lower(), value.type.tensor_type.elem_type
    if not all(size) or kind not in {TensorProto.FLOAT, TensorProto.INT32, TensorProto.INT64}:
        return None
    if name in HEIGHT_AND_WIDTH:
        array = np.array([size])
    elif name in WIDTH_AND_HEIGHT:
        array = np.array([size[::-1]])
    elif name in ALL_ONES:
        lengths = _lengths(value)
        defaults = (1, *size) if len(lengths) == 3 else (1, 2)
        array = np.ones([length or default for length, default in zip(lengths, defaults, strict=True)])
    else:
        return None
    return np.asarray(array, helper.tensor_dtype_to_np_dtype(kind))


def _cast_behind_input(graph: onnx.GraphProto, name: str) -> None:
    """Cast the input to uint8 for its readers; float32 holds all integers from 0 to 255 exactly."""
    made = f"{name}.uint8"
    for node in graph.node:
        for at, source in enumerate(node.input):
            if source == name:
                node.input[at] = made
    graph.node.insert(0, helper.make_node("Cast", [name], [made], made, to=TensorProto.UINT8))
