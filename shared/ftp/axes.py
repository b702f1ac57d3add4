"""One axis of a layer: the range of input cells that a range of output cells needs, and the reverse.

Ranges are half-open, (first, end), in cells of the whole map. An input range may extend beyond the map's border.
Source: paper, equation (1), which covers 3x3 convolutions and 2x2 pools; here for any geometry.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

Range = tuple[int, int]


class Axis(Protocol):
    """Rows or columns of one layer."""

    def input_range(self, first: int, end: int) -> Range:
        """Return the input cells that are needed to compute the output cells [first, end)."""

    def output_range(self, first: int, end: int) -> Range:
        """Return the output cells that the input cells [first, end) give without padding."""


@dataclass(frozen=True, slots=True)
class Window:
    """A window that slides over the input: convolution, pool, slice, padding. `before` is the padding at its start."""

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
    """A transposed convolution over an input of `length` cells: each contributes to a window of the output."""

    length: int
    kernel: int
    stride: int
    dilation: int
    before: int

    def input_range(self, first: int, end: int) -> Range:
        # All cells whose windows touch the range, and enough that their windows cover it: output is only cropped.
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
    """An enlargement by an integer factor of an input of `length` cells: Resize, DepthToSpace.

    Output cell o reads position o / factor of the input, or (o + 1/2) / factor - 1/2 with `half_pixel`. `rounding`:
    "linear" reads the cells on both sides; "floor", "ceil", "round_prefer_floor" and "round_prefer_ceil" read one.
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
        """Return the first and last input cell that output cell `output` reads, not clipped to the map."""
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
