"""The memory that the C library allocates for this process, and how freed memory returns to the system."""

from __future__ import annotations

import contextlib
import ctypes
import gc

from shared.process.idle_code import unmap_idle_code

_M_ARENA_MAX, _M_MMAP_THRESHOLD = -8, -3
"""From malloc.h."""

_LARGE_BLOCK_BYTES = 2**18
"""Blocks of at least this size are returned at once; pictures and maps are larger."""


def share_malloc_arena() -> None:
    """Let all threads allocate from one arena (glibc; elsewhere a no-op). Call it before there are threads.

    Each arena keeps freed memory for its threads, as much as a few pictures need. Our threads seldom allocate at the
    same time, so they do not need arenas of their own.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)


def return_large_blocks() -> None:
    """Let freed blocks of 256 KiB or more return to the system at once (glibc; elsewhere a no-op).

    By default, glibc keeps freed blocks of up to 32 MB for later ones, and small blocks in between keep it from ever
    returning them. A block that is mapped anew costs time (measured: 0.14 ms for 300 kB, 0.58 ms for 1.3 MB), so this
    is for processes that allocate few of them.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _LARGE_BLOCK_BYTES)


def release_freed_memory() -> None:
    """Return unused memory to the system. Call it at the end of a phase that needed much memory, such as the start.

    Models are in reference cycles of protobuf: without a garbage collection they would stay in memory for a long time.
    The objects that remain are frozen: they last until the next phase, so collections until then need not visit them.
    Frozen objects that turn into garbage stay until the next call. Processes that are forked afterwards share the
    memory pages of frozen objects, and must not call this: a collection would copy them. Freed memory is returned with
    glibc only.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
    unmap_idle_code()
