"""The C library's memory of this process."""

from __future__ import annotations

import contextlib
import ctypes

_M_ARENA_MAX = -8
"""From malloc.h."""


def share_malloc_arena() -> None:
    """Let all threads allocate from one arena (glibc only, else a no-op); call before there are threads.

    Each arena keeps freed memory for its threads, as much as a few pictures; ours seldom allocate at the same time.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)
