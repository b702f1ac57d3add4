"""One memory arena of onnxruntime for all tile sessions of a process."""

from __future__ import annotations

import logging
import threading

log = logging.getLogger(__name__)

_INITIAL_CHUNK_FACTOR = 2.5
"""Size of the arena's first chunk, in working sets of the largest layer; with a smaller one, the arena fragments."""

_once = threading.Lock()


def share_arena(working_bytes: int) -> None:
    """Create the arena of this process. `working_bytes`: the size of input and output of a tile's largest layer.

    onnxruntime has one arena for each process and cannot replace it: later calls do nothing. The arena grows if needed.
    """
    if not _once.acquire(blocking=False):
        return
    import onnxruntime  # noqa: PLC0415  (see open_session)

    arena = onnxruntime.OrtArenaCfg(
        {
            "max_mem": 0,
            "arena_extend_strategy": 0,  # by powers of two; chunks of the requested size would never be reused
            "initial_chunk_size_bytes": int(_INITIAL_CHUNK_FACTOR * working_bytes),
            "max_dead_bytes_per_chunk": 1,  # the rest of a chunk is given to the next map
        }
    )
    cpu = onnxruntime.OrtMemoryInfo(
        "Cpu", onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, onnxruntime.OrtMemType.DEFAULT
    )
    onnxruntime.create_and_register_allocator(cpu, arena)
    log.debug("one arena for all tiles, %.1f MB at first", _INITIAL_CHUNK_FACTOR * working_bytes / 1e6)
