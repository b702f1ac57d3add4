"""Grids: the division of a map into tiles that do not overlap."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import floor
from typing import TYPE_CHECKING

from shared.errors import ConfigurationError
from shared.ftp.region import Region

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Grid:
    """`rows` x `columns` tiles, numbered row by row from the top left."""

    rows: int
    columns: int

    def __post_init__(self) -> None:
        if self.rows < 1 or self.columns < 1:
            raise ConfigurationError(f"grid {self}: rows and columns must be at least 1")

    @classmethod
    def parse(cls, text: str) -> Grid:
        """Read "3x3" (rows x columns). Raises ConfigurationError."""
        match = re.fullmatch(r"(\d{1,4})[xX](\d{1,4})", text.strip())
        if match is None:
            raise ConfigurationError(f"grid {text!r} is not ROWSxCOLUMNS; write for example 3x3")
        return cls(int(match[1]), int(match[2]))

    def __str__(self) -> str:
        return f"{self.rows}x{self.columns}"

    @property
    def count(self) -> int:
        return self.rows * self.columns

    def divide(
        self, height: int, width: int, halo: tuple[float, float] = (0.0, 0.0), shares: Sequence[float] = ()
    ) -> tuple[Region, ...]:
        """Divide a map of `height` x `width` cells as evenly as possible.

        `halo` is the number of rows above and below, and of columns left and right, that a tile needs beyond its own
        part. With it, tiles are equal including their halos: tiles at the border have a halo on one side only, so they
        get more cells of their own. With `shares`, one for each tile, the areas of tiles are proportional to them: the
        height of a row is proportional to the sum of its shares, and each row is divided into columns separately.
        Raises ConfigurationError when a tile would be empty, or when the shares do not fit the grid.
        """
        if self.rows > height or self.columns > width:
            raise ConfigurationError(
                f"grid {self} is larger than the map it divides ({height}x{width} cells); "
                f"choose at most {height}x{width}, or cut the network earlier"
            )
        rows, columns = _bounds(height, self.rows, halo[0]), [_bounds(width, self.columns, halo[1])] * self.rows
        if shares:
            if len(shares) != self.count or min(shares) < 0 or not any(shares):
                raise ConfigurationError(
                    f"shares {', '.join(f'{share:g}' for share in shares)} do not fit grid {self}: there must be one "
                    "for each tile, not all 0"
                )
            of_rows = [shares[row * self.columns : (row + 1) * self.columns] for row in range(self.rows)]
            rows = _proportional_bounds(height, [sum(of_row) for of_row in of_rows])
            columns = [_proportional_bounds(width, of_row) for of_row in of_rows]
        return tuple(
            Region(rows[r], columns[r][c], rows[r + 1], columns[r][c + 1])
            for r in range(self.rows)
            for c in range(self.columns)
        )


def grids_of(*counts: int) -> list[Grid]:
    """Return two grids for each of these numbers of tiles: one of rows only, and one as square as possible."""
    grids = []
    for count in counts:
        rows = max(rows for rows in range(1, count + 1) if count % rows == 0 and rows * rows <= count)
        grids += [Grid(count, 1), *([Grid(rows, count // rows)] if rows > 1 else [])]
    return list(dict.fromkeys(grids))


def _proportional_bounds(length: int, shares: Sequence[float]) -> list[int]:
    """Return the bounds of parts in proportion to `shares`, each of at least one cell; equal parts if all shares are 0.

    Source: MoDNN (Mao et al., DATE 2017), biased one-dimensional partition.
    """
    shares = shares if any(shares) else [1.0] * len(shares)
    total, bounds = sum(shares), [0]
    for number in range(1, len(shares)):
        ideal = floor(length * sum(shares[:number]) / total + 0.5)
        bounds.append(min(max(ideal, bounds[-1] + 1), length - (len(shares) - number)))
    return [*bounds, length]


def _bounds(length: int, parts: int, halo: float) -> list[int]:
    """Return the bounds of the parts of one axis: the first cell of each part, and the end of the last part."""
    if parts < 3 or not halo:
        return [part * length // parts for part in range(parts + 1)]
    inner = max(1.0, (length - 2 * halo) / parts)
    outer = (length - (parts - 2) * inner) / 2
    return [0, *(floor(outer + part * inner + 0.5) for part in range(parts - 1)), length]
