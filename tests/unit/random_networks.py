"""A hypothesis strategy of small networks with branches, of all operators that can be tiled, and of grids."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from hypothesis import strategies as st

from shared.ftp.grid import Grid
from shared.model.plain import known_shapes, to_plain_form
from tests.networks import ModelBuilder

if TYPE_CHECKING:
    import onnx

MAX_LAYERS = 8
"""Enough for a branch that is joined again, few enough to be read when an example fails."""

MAX_CELLS = 4000
"""No map grows beyond it, however often it is enlarged."""

UNARY: dict[str, dict[str, Any]] = {
    "LeakyRelu": {"alpha": 0.1}, "Relu": {}, "Sigmoid": {}, "HardSwish": {}, "Tanh": {}, "Softplus": {}, "Erf": {},
    "Abs": {}, "Identity": {}, "Mish": {}, "Elu": {}, "HardSigmoid": {}, "Neg": {},
}  # fmt: skip


@dataclass(frozen=True)
class TilingCase:
    """A network whose outputs are the cut, and a grid: the model as written, and in plain form."""

    original: onnx.ModelProto
    model: onnx.ModelProto
    cut: tuple[str, ...]
    grid: Grid

    def _repr_pretty_(self, printer, _cycle) -> None:
        """Print a failing example for hypothesis."""
        size = [dim.dim_value for dim in self.original.graph.input[0].type.tensor_type.shape.dim]
        lines = [f"Case: input {size}, grid {self.grid}, cut {', '.join(self.cut)}"]
        for node in self.original.graph.node:
            sources = ", ".join(name for name in node.input if "." not in name)
            geometry = " ".join(
                f"{part.name}={list(part.ints) or part.s.decode() or part.i or part.f}" for part in node.attribute
            )
            lines.append(f"{', '.join(node.output)} = {node.op_type}({sources}) {geometry}")
        printer.text("\n    ".join(lines))


@dataclass(frozen=True)
class DrawnMap:
    """A tensor in the making: its name, channels, rows and columns."""

    name: str
    channels: int
    size: tuple[int, int]


DENSE = ("dense_conv", "leaky", "concat", "add")
"""Kinds of layer in which every cell of the input counts, so that no region is larger than it must be."""


@st.composite
def tiling_cases(draw: st.DrawFn, kinds: tuple[str, ...] = ()) -> TilingCase:
    """Draw chains and branches of `kinds` (all, when empty) that end in one map or several."""
    size = (draw(st.integers(5, 28)), draw(st.integers(5, 28)))
    build = ModelBuilder(*size, seed=draw(st.integers(0, 1000)))
    maps = [DrawnMap("image", 3, size)]
    used: set[str] = set()
    for _ in range(draw(st.integers(1, MAX_LAYERS))):
        source = draw(st.sampled_from(maps[-3:]))
        kind = draw(st.sampled_from(kinds or tuple(KINDS)))
        if kind in {"concat", "combine", "add"}:
            alike = [other for other in maps if other.size == source.size]
            other = draw(st.sampled_from([one for one in alike if kind == "concat" or one.channels == source.channels]))
            made = _joined(draw, build, source, other, kind)
            used.add(other.name)
        else:
            made = KINDS[kind](draw, build, source)
        if made is None:
            continue
        used.add(source.name)
        maps.append(made)
    if len(maps) == 1:
        maps.append(DrawnMap(build.layer("Relu", "image"), 3, size))
    inner = [made.name for made in maps[1:] if made.name in used]
    shown = draw(st.lists(st.sampled_from(inner), unique=True, max_size=1)) if inner else []
    cut = tuple(made.name for made in maps[1:] if made.name not in used or made.name in shown)
    rows, columns = (min(made.size[axis] for made in maps if made.name in cut) for axis in (0, 1))
    finest = draw(st.booleans())
    cap = 28 if finest and rows * columns <= 100 else 6
    grid = Grid(draw(st.integers(1, min(cap, rows))), draw(st.integers(1, min(cap, columns))))
    original = build.original(*cut)
    model = to_plain_form(original)
    shapes = known_shapes(model)
    for made in maps[1:]:
        assert shapes[made.name] == (1, made.channels, *made.size), f"{made} is {shapes[made.name]}"
    return TilingCase(original, model, cut, grid)


def _joined(draw: st.DrawFn, build: ModelBuilder, source: DrawnMap, other: DrawnMap, kind: str) -> DrawnMap:
    if kind == "concat":
        name = build.layer("Concat", source.name, other.name, axis=1)
        return DrawnMap(name, source.channels + other.channels, source.size)
    op = "Add" if kind == "add" else draw(st.sampled_from(["Add", "Sub", "Max", "Min", "Mul"]))
    return DrawnMap(build.layer(op, source.name, other.name), source.channels, source.size)


def _unary(draw: st.DrawFn, build: ModelBuilder, source: DrawnMap) -> DrawnMap:
    op = draw(st.sampled_from(sorted(UNARY)))
    return DrawnMap(build.layer(op, source.name, **UNARY[op]), source.channels, source.size)


def _with_constant(draw: st.DrawFn, build: ModelBuilder, source: DrawnMap) -> DrawnMap:
    """Add a binary layer with a number, or one for each channel, row, column or cell."""
    rows, columns = source.size
    channels = source.channels
    shape = draw(
        st.sampled_from(
            [(), (channels, 1, 1), (columns,), (rows, 1), (rows, columns), (1, 1, rows, columns), (1, channels, 1, 1)]
        )
    )
    values = np.random.default_rng(draw(st.integers(0, 99))).standard_normal(shape)
    op = draw(st.sampled_from(["Add", "Mul", "Sub", "Max"]))
    name = build.layer(op, source.name, constants={f"number.{build.count}": values})
    return DrawnMap(name, channels, source.size)


def _normalised(draw: st.DrawFn, build: ModelBuilder, source: DrawnMap) -> DrawnMap:
    values = np.random.default_rng(draw(st.integers(0, 99))).uniform(0.5, 1.5, (4, source.channels))
    tag = build.count
    constants = {f"{role}.{tag}": row for role, row in zip(("scale", "bias", "mean", "variance"), values, strict=True)}
    return DrawnMap(build.layer("BatchNormalization", source.name, constants=constants), source.channels, source.size)


def _across_channels(draw: st.DrawFn, build: ModelBuilder, source: DrawnMap) -> DrawnMap:
    if draw(st.booleans()):
        return DrawnMap(build.layer("Softmax", source.name, axis=1), source.channels, source.size)
    axes = {f"axes.{build.count}": np.array([1], np.int64)}
    op = draw(st.sampled_from(["ReduceMean", "ReduceMax"]))
    return DrawnMap(build.layer(op, source.name, constants=axes, channels=1, keepdims=1), 1, source.size)


def _enlarged(draw: st.DrawFn, build: ModelBuilder, source: DrawnMap) -> DrawnMap | None:
    factors = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    size = source.size[0] * factors[0], source.size[1] * factors[1]
    if size[0] * size[1] * source.channels > MAX_CELLS:
        return None
    mode = draw(st.sampled_from(["nearest", "linear"]))
    attributes: dict[str, Any] = {"mode": mode}
    attributes["coordinate_transformation_mode"] = draw(st.sampled_from(["asymmetric", "half_pixel"]))
    if mode == "nearest":
        attributes["nearest_mode"] = draw(st.sampled_from(["floor", "ceil", "round_prefer_floor", "round_prefer_ceil"]))
    tag = build.count
    nothing = build.constant(f"roi.{tag}", np.zeros(0, np.float32))
    if draw(st.booleans()):
        scales = build.constant(f"scales.{tag}", np.array([1, 1, *factors], np.float32))
        name = build.layer("Resize", source.name, nothing, scales, channels=source.channels, **attributes)
    else:
        sizes = build.constant(f"sizes.{tag}", np.array([1, source.channels, *size], np.int64))
        name = build.layer("Resize", source.name, nothing, "", sizes, channels=source.channels, **attributes)
    return DrawnMap(name, source.channels, size)


def _transposed(draw: st.DrawFn, build: ModelBuilder, source: DrawnMap) -> DrawnMap | None:
    axes = []
    for length in source.size:
        kernel, stride, dilation = draw(st.integers(1, 4)), draw(st.integers(1, 3)), draw(st.integers(1, 2))
        reach = (kernel - 1) * dilation
        before, after = draw(st.integers(0, reach // 2)), draw(st.integers(0, reach // 2))
        spare = draw(st.integers(0, stride - 1))
        axes.append((kernel, stride, dilation, before, after, spare))
        if (length - 1) * stride + reach + 1 + spare - before - after < 1:
            return None
    size = tuple(
        (length - 1) * stride + (kernel - 1) * dilation + 1 + spare - before - after
        for length, (kernel, stride, dilation, before, after, spare) in zip(source.size, axes, strict=True)
    )
    filters = draw(st.integers(1, 3))
    if size[0] * size[1] * filters > MAX_CELLS:
        return None
    (kernel_h, stride_h, dilation_h, top, bottom, spare_h), (kernel_w, stride_w, dilation_w, left, right, spare_w) = (
        axes
    )
    name = build.conv(
        source.name, filters, (kernel_h, kernel_w), op="ConvTranspose", bias=draw(st.booleans()),
        strides=[stride_h, stride_w], dilations=[dilation_h, dilation_w], pads=[top, left, bottom, right],
        output_padding=[spare_h, spare_w],
    )  # fmt: skip
    return DrawnMap(name, filters, (size[0], size[1]))


def _sliced(draw: st.DrawFn, build: ModelBuilder, source: DrawnMap) -> DrawnMap:
    axis = draw(st.integers(1, 3))
    length = (source.channels, *source.size)[axis - 1]
    start, step = draw(st.integers(0, length - 1)), draw(st.integers(1, 3))
    end = draw(st.integers(start + 1, length))
    negative = draw(st.booleans())
    values = {"starts": start - length if negative else start, "ends": end if end < length else 2**62, "axes": axis}
    tag = build.count
    constants = {f"{role}.{tag}": np.array([value], np.int64) for role, value in (values | {"steps": step}).items()}
    sizes = [source.channels, *source.size]
    sizes[axis - 1] = -(-(end - start) // step)
    name = build.layer("Slice", source.name, constants=constants, channels=sizes[0])
    return DrawnMap(name, sizes[0], (sizes[1], sizes[2]))


def _rearranged(draw: st.DrawFn, build: ModelBuilder, source: DrawnMap) -> DrawnMap | None:
    block = draw(st.integers(2, 3))
    rows, columns = source.size
    if rows % block == 0 and columns % block == 0:
        channels = source.channels * block * block
        name = build.layer("SpaceToDepth", source.name, channels=channels, blocksize=block)
        return DrawnMap(name, channels, (rows // block, columns // block))
    if source.channels % (block * block):
        return None
    channels = source.channels // (block * block)
    mode = draw(st.sampled_from(["DCR", "CRD"]))
    name = build.layer("DepthToSpace", source.name, channels=channels, blocksize=block, mode=mode)
    return DrawnMap(name, channels, (rows * block, columns * block))


def _framed(draw: st.DrawFn, build: ModelBuilder, source: DrawnMap) -> DrawnMap | None:
    """Pad, or crop, rows and columns."""
    top, left, bottom, right = (draw(st.integers(-1, 2)) for _ in range(4))
    size = source.size[0] + top + bottom, source.size[1] + left + right
    if min(size) < 1:
        return None
    tag = build.count
    constants = {
        f"pads.{tag}": np.array([0, 0, top, left, 0, 0, bottom, right], np.int64),
        f"value.{tag}": np.array(draw(st.sampled_from([0.0, 0.5, -3.0])), np.float32),
    }
    return DrawnMap(build.layer("Pad", source.name, constants=constants), source.channels, size)


def _sliding(draw: st.DrawFn, build: ModelBuilder, source: DrawnMap, op: str) -> DrawnMap:
    """Add a convolution or a pool: half of them keep the map's size, the others have any stride and padding."""
    pool = op != "Conv"
    keep, ceil = draw(st.booleans()), pool and draw(st.booleans())
    axes = [_axis(draw, length, keep=keep, pool=pool) for length in source.size]
    (kernel_h, stride_h, dilation_h, top, bottom), (kernel_w, stride_w, dilation_w, left, right) = axes
    attributes: dict[str, Any] = {
        "strides": [stride_h, stride_w],
        "dilations": [dilation_h, dilation_w],
        "pads": [top, left, bottom, right],
    }
    ceil = ceil and all(_windows_touch(length, *axis) for length, axis in zip(source.size, axes, strict=True))
    rows, columns = (out_length(length, *axis, ceil=ceil) for length, axis in zip(source.size, axes, strict=True))
    if pool:
        if op == "AveragePool":
            attributes["count_include_pad"] = draw(st.integers(0, 1))
        name = build.layer(op, source.name, kernel_shape=[kernel_h, kernel_w], ceil_mode=int(ceil), **attributes)
        return DrawnMap(name, source.channels, (rows, columns))
    groups = draw(st.sampled_from([count for count in (1, 2, 3) if source.channels % count == 0]))
    filters = groups * draw(st.integers(1, 3))
    name = build.conv(source.name, filters, (kernel_h, kernel_w), group=groups, bias=draw(st.booleans()), **attributes)
    return DrawnMap(name, filters, (rows, columns))


def _dense(draw: st.DrawFn, build: ModelBuilder, source: DrawnMap) -> DrawnMap | None:
    """Add a convolution without holes, whose last window ends with the map or its padding."""
    axes = []
    for length in source.size:
        kernel, stride = draw(st.sampled_from([(1, 1), (3, 1), (5, 1), (2, 2), (3, 2)]))
        before = draw(st.integers(0, kernel - 1))
        after = (stride - (length + before - kernel) % stride) % stride if length + before >= kernel else kernel
        axes.append((kernel, stride, before, after))
        if length + before + after < kernel or after >= kernel:
            return None
    kernels, strides, starts, ends = (list(values) for values in zip(*axes, strict=True))
    rows, columns = (
        out_length(length, kernel, stride, 1, top, bottom)
        for length, (kernel, stride, top, bottom) in zip(source.size, axes, strict=True)
    )
    name = build.conv(source.name, 2, tuple(kernels), strides=strides, pads=[*starts, *ends])
    return DrawnMap(name, 2, (rows, columns))


def _axis(draw: st.DrawFn, length: int, *, keep: bool, pool: bool) -> tuple[int, int, int, int, int]:
    """Draw kernel, stride, dilation and the two pads of one axis.

    Windows of convolutions may lie wholly in the padding, those of pools may not: they would have no value. For the
    same reason pools with padding are not dilated.
    """
    kernel, dilation = draw(st.integers(1, 5)), draw(st.integers(1, 1 if pool and keep else 2))
    reach = (kernel - 1) * dilation
    if keep:
        before = draw(st.integers(0, reach))
        return kernel, 1, dilation, before, reach - before
    longest = reach + 2 if not pool else reach if dilation == 1 else 0
    before, after = draw(st.integers(0, longest)), draw(st.integers(0, longest))
    if length + before + after <= reach:
        return 1, 1, 1, 0, 0
    return kernel, draw(st.integers(1, 3)), dilation, before, after


def _windows_touch(length: int, kernel: int, stride: int, dilation: int, before: int, after: int) -> bool:
    """Return whether all windows of a pool with ceil_mode begin on the map, where runtimes agree on their number."""
    room = length + before + after - (kernel - 1) * dilation - 1
    return -(-room // stride) * stride - before < length


def out_length(length: int, kernel: int, stride: int, dilation: int, before: int, after: int, *, ceil=False) -> int:
    """Return the cells of a sliding layer's output along one axis."""
    room = length + before + after - (kernel - 1) * dilation - 1
    if not ceil:
        return room // stride + 1
    count = -(-room // stride) + 1
    return count - 1 if (count - 1) * stride >= length + before else count


KINDS: dict[str, Any] = {
    "conv": lambda draw, build, source: _sliding(draw, build, source, "Conv"),
    "max_pool": lambda draw, build, source: _sliding(draw, build, source, "MaxPool"),
    "average_pool": lambda draw, build, source: _sliding(draw, build, source, "AveragePool"),
    "transposed": _transposed,
    "unary": _unary,
    "constant": _with_constant,
    "normalised": _normalised,
    "across_channels": _across_channels,
    "enlarged": _enlarged,
    "sliced": _sliced,
    "rearranged": _rearranged,
    "framed": _framed,
    "dense_conv": _dense,
    "leaky": lambda _draw, build, source: DrawnMap(
        build.layer("LeakyRelu", source.name, alpha=0.1), source.channels, source.size
    ),
    "concat": None,
    "combine": None,
    "add": None,
}
