"""The C library's memory of this process, and what is returned to the system of it."""

from __future__ import annotations

import contextlib
import ctypes
import gc

from shared.process.idle_code import unmap_idle_code

_M_ARENA_MAX, _M_MMAP_THRESHOLD = -8, -3
"""From malloc.h."""

_LARGE_BLOCK_BYTES = 2**18
"""Pictures and maps are larger."""


def share_malloc_arena() -> None:
    """Let all threads allocate from one arena (glibc only, else a no-op); call before there are threads.

    Each arena keeps freed memory for its threads, as much as a few pictures; ours seldom allocate at the same time.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)


def return_large_blocks() -> None:
    """Return each freed block of 256 KiB or more to the system at once (glibc only, else a no-op).

    Else glibc keeps them for the next ones, up to 32 MB each, between small ones that stay. A block that is mapped anew
    costs time (measured: 0.14 ms for 300 kB, 0.58 ms for 1.3 MB), so this is for processes that have few of them.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _LARGE_BLOCK_BYTES)


def release_freed_memory() -> None:
    """Return memory that is not used any more to the system: call when a phase ends, such as the start.

    Models are in reference cycles of protobuf: without a collection they would stay for long. What is left is frozen:
    it lasts until the next phase, and collections until then need not look at it. (Freed memory is returned with glibc
    only.)
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
    unmap_idle_code()
