"""A hypothesis strategy of small networks with branches, and of grids that divide them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from shared.ftp.grid import Grid
from tests.networks import Builder

if TYPE_CHECKING:
    import onnx

LAYERS_CAP = 8
"""Enough for a branch that is joined again, few enough to be read when an example fails."""


@dataclass(frozen=True)
class Case:
    """A network whose outputs are the cut, and a grid."""

    model: onnx.ModelProto
    cut: tuple[str, ...]
    grid: Grid

    def _repr_pretty_(self, printer, _cycle) -> None:
        """What hypothesis prints of a failing example."""
        size = [dim.dim_value for dim in self.model.graph.input[0].type.tensor_type.shape.dim]
        lines = [f"Case: input {size}, grid {self.grid}, cut {', '.join(self.cut)}"]
        for node in self.model.graph.node:
            sources = ", ".join(name for name in node.input if "." not in name)
            geometry = " ".join(f"{part.name}={list(part.ints)}" for part in node.attribute if part.ints)
            lines.append(f"{node.output[0]} = {node.op_type}({sources}) {geometry}")
        printer.text("\n    ".join(lines))


@dataclass(frozen=True)
class _Map:
    name: str
    channels: int
    size: tuple[int, int]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Chains and branches of Conv, MaxPool, LeakyRelu, Concat and Add that end in one map or several."""
    size = (draw(st.integers(5, 28)), draw(st.integers(5, 28)))
    build = Builder(*size, seed=draw(st.integers(0, 1000)))
    maps = [_Map("image", 3, size)]
    used: set[str] = set()
    for _ in range(draw(st.integers(1, LAYERS_CAP))):
        source = draw(st.sampled_from(maps[-3:]))
        alike = [other for other in maps if other.size == source.size]
        same = [other for other in alike if other.channels == source.channels]
        kind = draw(st.sampled_from(["conv", "conv", "conv", "pool", "leaky", "concat", "add"]))
        if kind in {"conv", "pool"}:
            made = _sliding(draw, build, source, pool=kind == "pool")
        elif kind == "leaky":
            made = _Map(build.layer("LeakyRelu", source.name, alpha=0.1), source.channels, source.size)
        elif kind == "add":
            other = draw(st.sampled_from(same))
            made = _Map(build.layer("Add", source.name, other.name), source.channels, source.size)
            used.add(other.name)
        else:
            other = draw(st.sampled_from(alike))
            name = build.layer("Concat", source.name, other.name, axis=1)
            made = _Map(name, source.channels + other.channels, source.size)
            used.add(other.name)
        used.add(source.name)
        maps.append(made)
    inner = [made.name for made in maps[1:] if made.name in used]
    shown = draw(st.lists(st.sampled_from(inner), unique=True, max_size=1)) if inner else []
    cut = tuple(made.name for made in maps[1:] if made.name not in used or made.name in shown)
    rows, columns = (min(made.size[axis] for made in maps if made.name in cut) for axis in (0, 1))
    grid = Grid(draw(st.integers(1, min(6, rows))), draw(st.integers(1, min(6, columns))))
    return Case(build.model(*cut), cut, grid)


def _sliding(draw: st.DrawFn, build: Builder, source: _Map, *, pool: bool) -> _Map:
    """A convolution or a pool: half of them keep the map's size, the others have any stride and padding that fits."""
    keep = draw(st.booleans())
    axes = [_axis(draw, length, keep=keep, pool=pool) for length in source.size]
    (kernel_h, stride_h, dilation_h, top, bottom), (kernel_w, stride_w, dilation_w, left, right) = axes
    attributes: dict[str, Any] = {
        "strides": [stride_h, stride_w],
        "dilations": [dilation_h, dilation_w],
        "pads": [top, left, bottom, right],
    }
    size = (out_length(source.size[0], *axes[0]), out_length(source.size[1], *axes[1]))
    if pool:
        name = build.layer("MaxPool", source.name, kernel_shape=[kernel_h, kernel_w], **attributes)
        return _Map(name, source.channels, size)
    groups = draw(st.sampled_from([count for count in (1, 2, 3) if source.channels % count == 0]))
    filters = groups * draw(st.integers(1, 3))
    name = build.conv(source.name, filters, (kernel_h, kernel_w), group=groups, bias=draw(st.booleans()), **attributes)
    return _Map(name, filters, size)


def _axis(draw: st.DrawFn, length: int, *, keep: bool, pool: bool) -> tuple[int, int, int, int, int]:
    """Kernel, stride, dilation and the two pads of one axis.

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


def out_length(length: int, kernel: int, stride: int, dilation: int, before: int, after: int) -> int:
    """Cells of a sliding layer's output along one axis."""
    return (length + before + after - (kernel - 1) * dilation - 1) // stride + 1
