"""How a file takes its picture, and giving it the one input that the plain form has: float32 (1, 3, H, W).

Files differ in element type, in the order of axes, in how many pictures they take at once, and some ask for the
picture's size besides.
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
"""Inputs for the size of the picture, as PaddleDetection and keras-yolo call them."""

WIDTH_AND_HEIGHT = frozenset(["orig_size", "orig_target_sizes"])
"""The same, as RT-DETR and D-FINE call it, the other way round."""

ALL_ONES = frozenset(["pixel_mask", "scale_factor"])
"""By what the picture was scaled, and which of its pixels are some: the network's own picture is what is meant here."""


@dataclass(frozen=True)
class PictureForm:
    """How a file takes pictures: through which input, as uint8 or float32, in which order of axes, how many at once.

    `others` are inputs besides, by name, with their value for a picture that fills the network's input.
    """

    input: str
    uint8: bool = False
    channels_last: bool = False
    batch: int = 1
    others: Mapping[str, Array] = field(default_factory=dict)

    def make_feeds(self, image: Array) -> dict[str, Array]:
        """Return what a run of the file is given for one picture, float32 (1, 3, H, W)."""
        fed = np.ascontiguousarray(image.transpose(0, 2, 3, 1)) if self.channels_last else image
        fed = fed.astype(np.uint8) if self.uint8 else fed
        return {self.input: np.repeat(fed, self.batch, axis=0), **self.others}


def picture_form(model: onnx.ModelProto, size: tuple[int, int] | None = None) -> PictureForm | None:
    """Return how the file takes pictures; None when it has no such input, or others that nobody can fill.

    `size` (height, width) is that of the picture, where the file leaves it open.
    """
    read = {name for node in model.graph.node for name in tensors_read_by(node)}
    constants = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in constants and value.name in read]
    pictures = [value for value in inputs if _is_picture(_lengths(value))]
    if len(pictures) != 1:
        return None
    (picture,) = pictures
    lengths = _lengths(picture)
    last = _is_last(lengths)
    given = tuple(length or wanted for length, wanted in zip(lengths[1:3] if last else lengths[2:], size or (0, 0),
                  strict=True))  # fmt: skip
    others = {value.name: _filled(value, given) for value in inputs if value is not picture}
    if any(value is None for value in others.values()):
        return None
    return PictureForm(
        picture.name,
        picture.type.tensor_type.elem_type == TensorProto.UINT8,
        last,
        max(1, lengths[0]),
        {name: value for name, value in others.items() if value is not None},
    )


def set_single_picture_input(model: onnx.ModelProto, form: PictureForm, size: tuple[int, int] | None) -> None:
    """Make the input a batch of one, float32, and of `size` (height, width) where the file leaves it open.

    The order of its axes stays. Inputs besides it become constants, or go when nobody reads them.
    """
    graph = model.graph
    value = next(value for value in graph.input if value.name == form.input)
    wanted = (1, *(size or (0, 0)), 3) if form.channels_last else (1, 3, *(size or (0, 0)))
    for place, (dimension, length) in enumerate(zip(value.type.tensor_type.shape.dim, wanted, strict=True)):
        if length and (place == 0 or dimension.dim_value < 1):
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
    """Let every Reshape that begins with the batch begin with one; constants are folded before."""
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
    """Lengths of the axes; 0 for those that are left open."""
    return tuple(max(0, dimension.dim_value) for dimension in value.type.tensor_type.shape.dim)


def _is_picture(lengths: tuple[int, ...]) -> bool:
    return len(lengths) == 4 and (lengths[1] in {0, 3} or lengths[3] == 3)


def _is_last(lengths: tuple[int, ...]) -> bool:
    return lengths[3] == 3 and lengths[1] != 3


def _filled(value: onnx.ValueInfoProto, size: tuple[int, ...]) -> Array | None:
    """What an input means that is not the picture; None when nobody knows, or the size is open."""
    name, kind = value.name.lower(), value.type.tensor_type.elem_type
    if not all(size) or kind not in {TensorProto.FLOAT, TensorProto.INT32, TensorProto.INT64}:
        return None
    if name in HEIGHT_AND_WIDTH:
        array = np.array([size])
    elif name in WIDTH_AND_HEIGHT:
        array = np.array([size[::-1]])
    elif name in ALL_ONES:
        lengths = _lengths(value)
        missing = (1, *size) if len(lengths) == 3 else (1, 2)
        array = np.ones([length or other for length, other in zip(lengths, missing, strict=True)])
    else:
        return None
    return np.asarray(array, helper.tensor_dtype_to_np_dtype(kind))


def _cast_behind_input(graph: onnx.GraphProto, name: str) -> None:
    """Give everything that reads the input a uint8 again: from 0 to 255 float32 holds every one of them."""
    made = f"{name}.uint8"
    for node in graph.node:
        for at, source in enumerate(node.input):
            if source == name:
                node.input[at] = made
    graph.node.insert(0, helper.make_node("Cast", [name], [made], made, to=TensorProto.UINT8))
