"""One axis of a layer: which cells of its input a range of its output needs, and which range it makes of them.

Ranges are half-open, (first, end), in cells of the whole map. A range that is needed may reach over the map's border.
Source: paper, equation (1), which covers 3x3 convolutions and 2x2 pools; here for any geometry.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

Range = tuple[int, int]


class Axis(Protocol):
    """Rows or columns of one layer."""

    def input_range(self, first: int, end: int) -> Range:
        """The input cells from which the output cells [first, end) can be computed."""

    def output_range(self, first: int, end: int) -> Range:
        """The output cells that come of the input cells [first, end), when nothing is padded."""


@dataclass(frozen=True, slots=True)
class Window:
    """A window that slides over the input: convolution, pool, slice, padding. `before` is the padding's width."""

    kernel: int = 1
    stride: int = 1
    dilation: int = 1
    before: int = 0

    @property
    def _reach(self) -> int:
        return (self.kernel - 1) * self.dilation + 1

    def input_range(self, first: int, end: int) -> Range:
        return first * self.stride - self.before, (end - 1) * self.stride + self._reach - self.before

    def output_range(self, first: int, end: int) -> Range:
        return -(-(first + self.before) // self.stride), (end + self.before - self._reach) // self.stride + 1


@dataclass(frozen=True, slots=True)
class Transposed:
    """A transposed convolution over an input of `length` cells: each spreads over a window of the output."""

    length: int
    kernel: int
    stride: int
    dilation: int
    before: int

    def input_range(self, first: int, end: int) -> Range:
        reach = (self.kernel - 1) * self.dilation
        begin, last = first + self.before, end - 1 + self.before
        touching = max(0, -(-(begin - reach) // self.stride)), min(self.length - 1, last // self.stride)
        covering = begin // self.stride, -(-(last - reach) // self.stride)
        return min(touching[0], covering[0]), max(touching[1], covering[1]) + 1

    def output_range(self, first: int, end: int) -> Range:
        reach = (self.kernel - 1) * self.dilation
        return first * self.stride - self.before, (end - 1) * self.stride + reach + 1 - self.before


@dataclass(frozen=True, slots=True)
class Enlarged:
    """An enlargement by a whole factor of an input of `length` cells: Resize, DepthToSpace.

    Output cell o looks at place o / factor of the input, or at (o + 1/2) / factor - 1/2 when `half_pixel`. What it
    takes there: "linear" the cells on both sides; "floor", "ceil", "round_prefer_floor" or "round_prefer_ceil" one.
    """

    length: int
    factor: int
    half_pixel: bool = False
    rounding: str = "floor"

    def input_range(self, first: int, end: int) -> Range:
        low, high = self._sources(first)[0], self._sources(end - 1)[1]
        last = (end - 1) // self.factor
        return min(max(low, 0), first // self.factor), max(min(high, self.length - 1), last) + 1

    def output_range(self, first: int, end: int) -> Range:
        return first * self.factor, end * self.factor

    def _sources(self, output: int) -> Range:
        """First and last input cell that output cell `output` takes, where they are not held at the border."""
        place, unit = output, self.factor
        if self.half_pixel:
            place, unit = 2 * output + 1 - self.factor, 2 * self.factor
        floor, ceil = place // unit, -(-place // unit)
        match self.rounding:
            case "linear":
                return floor, ceil
            case "floor":
                return floor, floor
            case "ceil":
                return ceil, ceil
            case "round_prefer_ceil":
                nearest = (2 * place + unit) // (2 * unit)
            case _:
                nearest = -(-(2 * place - unit) // (2 * unit))
        return nearest, nearest
