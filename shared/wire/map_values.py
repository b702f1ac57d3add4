"""The values of maps on the wire: float32, which is exact, or float16, which takes half of the bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from shared.errors import ProtocolError

if TYPE_CHECKING:
    from shared.model.arrays import Array, FeatureMap, FloatArray

MapType = Literal["float32", "float16"]
"""numpy's name of the element type of maps on the wire."""

MAP_TYPES: tuple[MapType, ...] = get_args(MapType)

_LARGEST_HALF = float(np.finfo(np.float16).max)


def encode_map(values: FeatureMap, map_type: MapType) -> Array:
    """Return a map, float32 (1, C, h, w), as it is sent: contiguous, and of this type.

    Values beyond the range of float16 (65504) are clipped to it: infinite values would spread through later layers.
    """
    if map_type == "float32":
        return np.ascontiguousarray(values)
    return np.clip(values, -_LARGEST_HALF, _LARGEST_HALF).astype(np.float16, order="C")


def decode_values(payload: Array, map_type: MapType) -> FloatArray:
    """Return the values in a payload, uint8 (bytes,), as float32 (values,); float32 values are not copied.

    Raises ProtocolError when the size of the payload is not a multiple of the size of a value.
    """
    if payload.size % value_bytes(map_type):
        raise ProtocolError(f"{payload.size} bytes are no whole number of values of type {map_type}")
    values: FloatArray = payload.view(map_type).astype(np.float32, copy=False)
    return values


def value_bytes(map_type: MapType) -> int:
    """Return the bytes of a value on the wire."""
    return np.dtype(map_type).itemsize
