"""Unmaps the code of libraries that this process has used only while it started.

Loading a library reads much of its code, and the kernel maps further pages around it. Mapped pages count as memory of
this process, and are the last that the system gives up when memory is short. An unmapped page stays in the cache of
files, and is mapped again when it is used.
"""

from __future__ import annotations

import contextlib
import ctypes
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_MADV_DONTNEED = 4
"""From linux/mman.h. Private pages of a file that nobody has changed are read again from the file."""

_MAPPING = re.compile(r"^([0-9a-f]+)-([0-9a-f]+) (\S{4}) \S+ \S+ \d+ *(.*)$")
"""The first line of a mapping in /proc/PID/smaps: bounds, permissions, offset, device, inode, file; see proc(5)."""


def unmap_idle_code() -> None:
    """Unmap the code of all libraries (Linux; elsewhere a no-op). Mapping what is used again takes 10 ms in all."""
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None)
        libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
        with Path("/proc/self/smaps").open(encoding="utf-8", errors="replace") as smaps:
            for start, end in unchanged_code(smaps):
                libc.madvise(start, end - start, _MADV_DONTNEED)


def unchanged_code(smaps: Iterable[str]) -> Iterator[tuple[int, int]]:
    """Yield the bounds of the mappings with code or constants of a library of which no page was changed.

    `smaps` are the lines of /proc/PID/smaps. Other files are left out: a library stays loaded, so no other memory can
    take its place between reading `smaps` and unmapping.
    """
    mapping: tuple[int, int] | None = None
    for line in smaps:
        if first := _MAPPING.match(line):
            start, end, permissions, file = first.groups()
            is_library = ".so" in file.rpartition("/")[2]
            unwritable = permissions in {"r-xp", "r--p"}
            mapping = (int(start, 16), int(end, 16)) if is_library and unwritable else None
        elif mapping is not None and line.split() == ["Anonymous:", "0", "kB"]:  # no page was copied and changed
            yield mapping
