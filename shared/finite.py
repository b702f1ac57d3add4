"""Whether arrays hold numbers only: a value that is none spreads through every layer behind it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shared.strip_cache import Array


def all_finite(arrays: Iterable[Array]) -> bool:
    """Return whether no value of these arrays is infinite or not a number. Takes a few microseconds a 100 KB."""
    return all(_finite(array) for array in arrays)


def _finite(array: Array) -> bool:
    if not np.issubdtype(array.dtype, np.floating):
        return True
    with np.errstate(all="ignore"):
        if np.isfinite(array.sum()):  # what is not finite makes the sum so, and summing is the fastest way to look
            return True
    return bool(np.isfinite(array).all())  # the sum may be too large where no value is
