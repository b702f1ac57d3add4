"""Convert Darknet's layers to ONNX operations that compute the same."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from shared.model.darknet.graph import DarknetMap

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.model.darknet.config import DarknetSection
    from shared.model.darknet.network_builder import NetworkBuilder


def add_layer(build: NetworkBuilder, section: DarknetSection) -> None:
    """Add the operations of a layer; its output is `layer_NN`. Raises ModelError."""
    build.end_layer(_LAYERS[section.kind](build, section))


def _name(section: DarknetSection) -> str:
    return f"layer_{section.number:02d}"


def _convolutional(build: NetworkBuilder, section: DarknetSection) -> DarknetMap:
    source = build.previous_map(section)
    filters, size, stride = section.get_int("filters"), section.get_int("size", 1), section.get_int("stride", 1)
    groups, dilation = section.get_int("groups", 1), section.get_int("dilation", 1)
    padding = size // 2 if section.get_int("pad", 0, least=0) else section.get_int("padding", 0, least=0)
    if source.channels % groups or filters % groups:
        raise section.error(f"must divide its {source.channels} channels and {filters} filters", "groups")
    if size == 1:
        dilation = 1
    if dilation > 1 and 2 * padding != size - 1:
        raise section.error("needs an odd size and pad=1; otherwise Darknet's own output is undefined", "dilation")
    shape = (filters, source.channels // groups, size, size)
    normalised = section.get_int("batch_normalize", 0, least=0) > 0
    kernels, biases = build.weights.read_convolution(section, shape, normalised=normalised)
    target = DarknetMap(
        _name(section),
        filters,
        (source.height + 2 * padding - size) // stride + 1,
        (source.width + 2 * padding - size) // stride + 1,
        source.stride * stride,
    )
    kernels_name = build.graph.add_constant(f"{target.tensor}.weight", kernels)
    biases_name = build.graph.add_constant(f"{target.tensor}.bias", biases)
    return build.add_activated_operation(
        section,
        "Conv",
        [source.tensor, kernels_name, biases_name],
        target,
        section.get_text("activation", "logistic"),
        kernel_shape=[size] * 2,
        strides=[stride] * 2,
        dilations=[dilation] * 2,
        pads=[padding * dilation] * 4,
        group=groups,
    )


def _maxpool(build: NetworkBuilder, section: DarknetSection) -> DarknetMap:
    source = build.previous_map(section)
    stride = section.get_int("stride", 1)
    size = section.get_int("size", stride)
    padding = section.get_int("padding", size - 1, least=0)
    before, after = padding // 2, padding - padding // 2
    if after >= size:
        raise section.error(f"is too large for size={size}; some windows would lie outside the map", "padding")
    target = DarknetMap(
        _name(section),
        source.channels,
        (source.height + padding - size) // stride + 1,
        (source.width + padding - size) // stride + 1,
        source.stride * stride,
    )
    pads = [before, before, after, after]
    return build.add_operation(
        section, "MaxPool", [source.tensor], target, kernel_shape=[size] * 2, strides=[stride] * 2, pads=pads
    )


def _route(build: NetworkBuilder, section: DarknetSection) -> DarknetMap:
    sources = build.earlier_maps(section, "layers")
    sizes = [f"{source.height} x {source.width}" for source in sources]
    if len(set(sizes)) > 1:
        raise section.error(f"joins maps of different sizes: {', '.join(sizes)}", "layers")
    groups, group = section.get_int("groups", 1), section.get_int("group_id", 0, least=0)
    if group >= groups:
        raise section.error(f"must be less than groups, which is {groups}", "group_id")
    if groups > 1:
        sources = [_group(build, section, source, position) for position, source in enumerate(sources)]
    target = replace(sources[0], tensor=_name(section), channels=sum(source.channels for source in sources))
    if len(sources) == 1:
        return build.add_operation(section, "Identity", [sources[0].tensor], target)
    return build.add_operation(section, "Concat", [source.tensor for source in sources], target, axis=1)


def _group(build: NetworkBuilder, section: DarknetSection, source: DarknetMap, position: int) -> DarknetMap:
    """Slice the channels of the route's group from its input `source` at that position."""
    groups, group = section.get_int("groups"), section.get_int("group_id", 0, least=0)
    if source.channels % groups:
        raise section.error(f"must divide the {source.channels} channels of {source.tensor}", "groups")
    channels = source.channels // groups
    target = replace(source, tensor=f"{_name(section)}.part_{position}", channels=channels)
    bounds = {"starts": group * channels, "ends": (group + 1) * channels, "axes": 1}
    constants = [
        build.graph.add_constant(f"{target.tensor}.{name}", np.array([value], np.int64))
        for name, value in bounds.items()
    ]
    return build.add_operation(section, "Slice", [source.tensor, *constants], target)


def _reorg(build: NetworkBuilder, section: DarknetSection) -> DarknetMap:
    """Rearrange cells as Darknet's reorg_cpu does, by their order in memory; s is the stride.

    (C, H, W) is read as (C / s^2, H s, W s); each cell of a block of s x s goes to a grid of its own, which gives
    (s^2, C / s^2, H, W); the result is read as (C s^2, H / s, W / s).
    """
    source, stride = build.previous_map(section), section.get_int("stride", 1)
    channels, height, width = source.channels, source.height, source.width
    if height % stride or width % stride or channels % stride**2:
        raise section.error(
            f"must divide the {height} x {width} cells, and its square the {channels} channels", "stride"
        )
    target = DarknetMap(_name(section), channels * stride**2, height // stride, width // stride, source.stride * stride)
    split = [channels // stride**2, height, stride, width, stride]
    order = [2, 4, 0, 1, 3]
    cells, grids = f"{target.tensor}.cells", f"{target.tensor}.grids"
    cells_shape = build.graph.add_constant(f"{cells}.shape", np.array(split, np.int64))
    build.graph.add_node("Reshape", [source.tensor, cells_shape], cells, split, {})
    build.graph.add_node("Transpose", [cells], grids, [split[axis] for axis in order], {"perm": order})
    shape = build.graph.add_constant(f"{target.tensor}.shape", np.array(target.shape, np.int64))
    return build.add_operation(section, "Reshape", [grids, shape], target)


def _shortcut(build: NetworkBuilder, section: DarknetSection) -> DarknetMap:
    source, others = build.previous_map(section), build.earlier_maps(section, "from")
    if len(others) != 1:
        raise section.error("must list one layer; sums of more are not supported", "from")
    if others[0].shape != source.shape:
        raise section.error(f"adds a map of {others[0].shape} to one of {source.shape}; they must be equal", "from")
    target = replace(source, tensor=_name(section))
    activation = section.get_text("activation", "linear")
    return build.add_activated_operation(section, "Add", [source.tensor, others[0].tensor], target, activation)


def _upsample(build: NetworkBuilder, section: DarknetSection) -> DarknetMap:
    source, stride, scale = build.previous_map(section), section.get_int("stride", 2), section.get_float("scale", 1)
    target = DarknetMap(
        _name(section), source.channels, source.height * stride, source.width * stride, source.stride / stride
    )
    larger = target if scale == 1 else replace(target, tensor=f"{target.tensor}.resize")
    scales = build.graph.add_constant(f"{target.tensor}.scales", np.array([1, 1, stride, stride], np.float32))
    build.add_operation(
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
    factor = build.graph.add_constant(f"{target.tensor}.scale", np.array(scale, np.float32))
    return build.add_operation(section, "Mul", [larger.tensor, factor], target)


def _dropout(build: NetworkBuilder, section: DarknetSection) -> DarknetMap:
    source = build.previous_map(section)
    return build.add_operation(section, "Identity", [source.tensor], replace(source, tensor=_name(section)))


_LAYERS: dict[str, Callable[[NetworkBuilder, DarknetSection], DarknetMap]] = {
    "convolutional": _convolutional,
    "maxpool": _maxpool,
    "route": _route,
    "reorg": _reorg,
    "shortcut": _shortcut,
    "upsample": _upsample,
    "dropout": _dropout,
}
