"""One tile for the worker, with everything that it needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.computing.plan_work import PlanWork
    from shared.ftp.stage import Tile
    from shared.model.arrays import Array, Pixels
    from shared.payloads.frames import FrameInfo


@dataclass(frozen=True, slots=True)
class TileAssignment:
    """A tile of a frame by a plan, and its pixels, uint8 (h, w, 3).

    `tile` gives the form in which it is computed: one that takes strips needs them in `strips`. `wanted`: the tiles for
    which the gateway must keep its strips. `fetch_bytes_per_s`: speed at which a stolen tile arrived, 0 for own ones.
    `waited_ms`: from the opening of its frame, but for the fetching.
    """

    work: PlanWork
    info: FrameInfo
    owner: str
    tile: Tile
    pixels: Pixels
    strips: Sequence[Array] = ()
    wanted: tuple[int, ...] = ()
    fetch_bytes_per_s: float = 0.0
    waited_ms: float = 0.0
