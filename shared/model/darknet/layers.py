"""Darknet's layers, each as the ONNX operations that compute the same."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from shared.model.darknet.graph import Map

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.model.darknet.building import Build
    from shared.model.darknet.config import Section


def add_layer(build: Build, section: Section) -> None:
    """Add the operations of a layer, the last of which makes `layer_NN`. Raises ModelError."""
    build.end_layer(_LAYERS[section.kind](build, section))


def _name(section: Section) -> str:
    return f"layer_{section.number:02d}"


def _convolutional(build: Build, section: Section) -> Map:
    source = build.previous(section)
    filters, size, stride = section.whole("filters"), section.whole("size", 1), section.whole("stride", 1)
    groups, dilation = section.whole("groups", 1), section.whole("dilation", 1)
    padding = size // 2 if section.whole("pad", 0, least=0) else section.whole("padding", 0, least=0)
    if source.channels % groups or filters % groups:
        raise section.error(f"must divide its {source.channels} channels and {filters} filters", "groups")
    if size == 1:
        dilation = 1
    if dilation > 1 and 2 * padding != size - 1:
        raise section.error("needs an odd size and pad=1: for others Darknet's own map is undefined", "dilation")
    shape = (filters, source.channels // groups, size, size)
    normalised = section.whole("batch_normalize", 0, least=0) > 0
    kernels, biases = build.weights.convolution(section, shape, normalised=normalised)
    target = Map(
        _name(section),
        filters,
        (source.height + 2 * padding - size) // stride + 1,
        (source.width + 2 * padding - size) // stride + 1,
        source.stride * stride,
    )
    kernels_name = build.graph.constant(f"{target.tensor}.weight", kernels)
    biases_name = build.graph.constant(f"{target.tensor}.bias", biases)
    return build.add_activated(
        section,
        "Conv",
        [source.tensor, kernels_name, biases_name],
        target,
        section.word("activation", "logistic"),
        kernel_shape=[size] * 2,
        strides=[stride] * 2,
        dilations=[dilation] * 2,
        pads=[padding * dilation] * 4,
        group=groups,
    )


def _maxpool(build: Build, section: Section) -> Map:
    source = build.previous(section)
    stride = section.whole("stride", 1)
    size = section.whole("size", stride)
    padding = section.whole("padding", size - 1, least=0)
    before, after = padding // 2, padding - padding // 2
    if after >= size:
        raise section.error(f"is too much for size={size}: some windows would lie beside the map", "padding")
    target = Map(
        _name(section),
        source.channels,
        (source.height + padding - size) // stride + 1,
        (source.width + padding - size) // stride + 1,
        source.stride * stride,
    )
    pads = [before, before, after, after]
    return build.add(
        section, "MaxPool", [source.tensor], target, kernel_shape=[size] * 2, strides=[stride] * 2, pads=pads
    )


def _route(build: Build, section: Section) -> Map:
    sources = build.earlier(section, "layers")
    sizes = [f"{source.height} x {source.width}" for source in sources]
    if len(set(sizes)) > 1:
        raise section.error(f"joins maps of different sizes: {', '.join(sizes)}", "layers")
    groups, group = section.whole("groups", 1), section.whole("group_id", 0, least=0)
    if group >= groups:
        raise section.error(f"must be less than groups, which is {groups}", "group_id")
    if groups > 1:
        sources = [_group(build, section, source, position) for position, source in enumerate(sources)]
    target = replace(sources[0], tensor=_name(section), channels=sum(source.channels for source in sources))
    if len(sources) == 1:
        return build.add(section, "Identity", [sources[0].tensor], target)
    return build.add(section, "Concat", [source.tensor for source in sources], target, axis=1)


def _group(build: Build, section: Section, source: Map, position: int) -> Map:
    """The channels of a route's input `source`, of that position, which belong to the route's group."""
    groups, group = section.whole("groups"), section.whole("group_id", 0, least=0)
    if source.channels % groups:
        raise section.error(f"must divide the {source.channels} channels of {source.tensor}", "groups")
    channels = source.channels // groups
    target = replace(source, tensor=f"{_name(section)}.part_{position}", channels=channels)
    bounds = {"starts": group * channels, "ends": (group + 1) * channels, "axes": 1}
    constants = [
        build.graph.constant(f"{target.tensor}.{name}", np.array([value], np.int64)) for name, value in bounds.items()
    ]
    return build.add(section, "Slice", [source.tensor, *constants], target)


def _reorg(build: Build, section: Section) -> Map:
    """What Darknet's reorg_cpu makes of it, with s the stride, and all by the order in memory, not by position.

    (C, H, W) is read as (C / s^2, H s, W s); of each s x s cells in there, every one goes to a grid of its own, so that
    there are (s^2, C / s^2, H, W); and that is read as (C s^2, H / s, W / s).
    """
    source, stride = build.previous(section), section.whole("stride", 1)
    channels, height, width = source.channels, source.height, source.width
    if height % stride or width % stride or channels % stride**2:
        raise section.error(f"must divide {height} x {width} cells, its square {channels} channels", "stride")
    target = Map(_name(section), channels * stride**2, height // stride, width // stride, source.stride * stride)
    split = [channels // stride**2, height, stride, width, stride]
    order = [2, 4, 0, 1, 3]
    cells, grids = f"{target.tensor}.cells", f"{target.tensor}.grids"
    cells_shape = build.graph.constant(f"{cells}.shape", np.array(split, np.int64))
    build.graph.node("Reshape", [source.tensor, cells_shape], cells, split, {})
    build.graph.node("Transpose", [cells], grids, [split[axis] for axis in order], {"perm": order})
    shape = build.graph.constant(f"{target.tensor}.shape", np.array(target.shape, np.int64))
    return build.add(section, "Reshape", [grids, shape], target)


def _shortcut(build: Build, section: Section) -> Map:
    source, others = build.previous(section), build.earlier(section, "from")
    if len(others) != 1:
        raise section.error("must name one layer; sums of more are not supported", "from")
    if others[0].shape != source.shape:
        raise section.error(f"adds a map of {others[0].shape} to one of {source.shape}; they must be equal", "from")
    target = replace(source, tensor=_name(section))
    activation = section.word("activation", "linear")
    return build.add_activated(section, "Add", [source.tensor, others[0].tensor], target, activation)


def _upsample(build: Build, section: Section) -> Map:
    source, stride, scale = build.previous(section), section.whole("stride", 2), section.decimal("scale", 1)
    target = Map(_name(section), source.channels, source.height * stride, source.width * stride, source.stride / stride)
    larger = target if scale == 1 else replace(target, tensor=f"{target.tensor}.resize")
    scales = build.graph.constant(f"{target.tensor}.scales", np.array([1, 1, stride, stride], np.float32))
    build.add(
        section,
        "Resize",
        [source.tensor, "", scales],
        larger,
        mode="nearest",
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )
    if larger is target:
        return target
    factor = build.graph.constant(f"{target.tensor}.scale", np.array(scale, np.float32))
    return build.add(section, "Mul", [larger.tensor, factor], target)


def _dropout(build: Build, section: Section) -> Map:
    source = build.previous(section)
    return build.add(section, "Identity", [source.tensor], replace(source, tensor=_name(section)))


_LAYERS: dict[str, Callable[[Build, Section], Map]] = {
    "convolutional": _convolutional,
    "maxpool": _maxpool,
    "route": _route,
    "reorg": _reorg,
    "shortcut": _shortcut,
    "upsample": _upsample,
    "dropout": _dropout,
}
