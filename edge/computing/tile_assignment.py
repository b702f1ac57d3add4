"""An assignment: one tile for the worker, with all that it needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.ftp.stage import Tile
    from shared.ftp.strip_cache import Array
    from shared.model.letterbox import Pixels
    from shared.payloads.frames import FrameInfo


@dataclass(frozen=True, slots=True)
class TileAssignment:
    """A tile of a frame and its pixels, uint8 (h, w, 3).

    `tile` says in which form it is computed: one that takes strips needs them in `strips`. The gateway is to keep its
    own strips for the tiles in `wanted`. `fetch_bytes_per_s` is how fast a stolen tile came, 0 for an own one.
    """

    info: FrameInfo
    owner: str
    tile: Tile
    pixels: Pixels
    strips: Sequence[Array] = ()
    wanted: tuple[int, ...] = ()
    fetch_bytes_per_s: float = 0.0
