"""Whether arrays hold numbers only: a value that is none spreads through every layer behind it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shared.model.arrays import Array


def all_finite(arrays: Iterable[Array]) -> bool:
    """Return whether no value of these arrays is infinite or not a number."""
    return all(not np.issubdtype(array.dtype, np.floating) or np.isfinite(array).all() for array in arrays)
