"""Code of libraries that this process has used only while it started.

Loading a library runs through much of its code, and the kernel maps the pages around what is touched. A page that is
mapped and was used counts as the memory of this process, and code that a process has mapped is the last that the
system gives up when memory is short. Unmapped, a page remains in the cache of files, and comes back when it is used.
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
    """Unmap the code of all libraries (Linux only, else no-op): what is used again is mapped again, within 10 ms."""
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None)
        libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
        with Path("/proc/self/smaps").open(encoding="utf-8", errors="replace") as smaps:
            for start, end in unchanged_code(smaps):
                libc.madvise(start, end - start, _MADV_DONTNEED)


def unchanged_code(smaps: Iterable[str]) -> Iterator[tuple[int, int]]:
    """Yield the bounds of the mappings that hold code or constants of a library, and nothing that was changed.

    `smaps` are the lines of /proc/PID/smaps. Only libraries count: they stay loaded, so no other memory takes their
    place meanwhile.
    """
    mapping: tuple[int, int] | None = None
    for line in smaps:
        if first := _MAPPING.match(line):
            start, end, permissions, file = first.groups()
            is_library = ".so" in file.rpartition("/")[2]
            unwritable = permissions in {"r-xp", "r--p"}
            mapping = (int(start, 16), int(end, 16)) if is_library and unwritable else None
        elif mapping is not None and line.split() == ["Anonymous:", "0", "kB"]:  # else it has copies of pages
            yield mapping
