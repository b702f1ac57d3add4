"""Checks arrays for NaN and infinity, which spread through all later layers. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shared.model.arrays import Array


def all_finite(arrays: Iterable[Array]) -> bool:
    """Return whether all values of these arrays are finite."""
    return all(not np.issubdtype(array.dtype, np.floating) or np.isfinite(array).all() for array in arrays)
