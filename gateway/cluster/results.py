"""Results of tiles as they come from the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np

from shared.errors import ProtocolError
from shared.ftp.strip_cache import split_strips

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.model.arrays import FeatureMap, Shape
    from shared.wire.connection import Payload
    from shared.wire.headers import ResultHeader


def split_result(
    result: ResultHeader, payload: Payload, expected: Sequence[Shape] | None
) -> tuple[list[FeatureMap], dict[int, Payload]]:
    """The maps in a result's payload, float32 (1, C, h, w) each, and its strips by reader, without copying.

    `expected` are the shapes that the plan gives to this tile, None when it has no such tile.
    Raises ProtocolError when the result is not of the plan.
    """
    if expected is None or list(result.shapes) != list(expected):
        raise ProtocolError(
            f"{result.worker} sent tile {result.tile} with shapes {list(result.shapes)}; the plan has {expected}"
        )
    sizes = [int(np.prod(shape)) for shape in expected]
    maps_end = 4 * sum(sizes)
    if payload.size != maps_end + sum(result.strips.values()):
        raise ProtocolError(
            f"{result.worker} sent tile {result.tile} with {payload.size} bytes instead of {maps_end} and its strips"
        )
    values = payload[:maps_end].view(np.float32)
    starts = np.cumsum([0, *sizes])
    maps = [
        cast("FeatureMap", values[start : start + size].reshape(shape))
        for start, size, shape in zip(starts, sizes, expected, strict=False)
    ]
    return maps, split_strips(payload[maps_end:], result.strips)
