"""Memory of a process: one arena for all its tile sessions, and nothing kept that is free."""

from __future__ import annotations

import contextlib
import ctypes
import logging
import threading

import onnxruntime

log = logging.getLogger(__name__)

_INITIAL_CHUNK_FACTOR = 2.5
"""The arena's first piece, in sizes of the largest pair of maps: with less, it grows in pieces that fit badly."""

_once = threading.Lock()


def share_arena(working_bytes: int) -> None:
    """Make the arena of this process, for tiles whose largest layer holds so many bytes of input and output.

    onnxruntime has one for each process and cannot change it: later calls do nothing, and it grows when it must.
    """
    if not _once.acquire(blocking=False):
        return
    arena = onnxruntime.OrtArenaCfg(
        {
            "max_mem": 0,
            "arena_extend_strategy": 0,  # by powers of two; pieces as requested are never used again
            "initial_chunk_size_bytes": int(_INITIAL_CHUNK_FACTOR * working_bytes),
            "max_dead_bytes_per_chunk": 1,  # what a map leaves over is given to the next
        }
    )
    cpu = onnxruntime.OrtMemoryInfo(
        "Cpu", onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, onnxruntime.OrtMemType.DEFAULT
    )
    onnxruntime.create_and_register_allocator(cpu, arena)
    log.debug("one arena for all tiles, %.1f MB to begin with", _INITIAL_CHUNK_FACTOR * working_bytes / 1e6)


def release_freed_memory() -> None:
    """Hand what was freed back to the system, as models are when their sessions stand (glibc; elsewhere nothing)."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
