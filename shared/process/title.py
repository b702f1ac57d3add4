"""The name and the command line under which `ps` shows a process."""

from __future__ import annotations

import contextlib
import ctypes
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

PR_SET_NAME = 15
"""From linux/prctl.h; the kernel keeps 15 bytes."""

_ARG_START, _ARG_END = 47, 48
"""Indexes of the bounds of the command line in /proc/self/stat, proc(5), counted from 0."""


def set_title(name: str, words: Sequence[str]) -> None:
    """Show this process as `name`, and with `words` as its command line (Linux; elsewhere a no-op).

    The new command line is written over the original one, and cut off if it is longer.
    """
    if sys.platform != "linux":
        return
    with contextlib.suppress(OSError, AttributeError, ValueError, IndexError):
        stat = Path("/proc/self/stat").read_text(encoding="utf-8", errors="replace")
        fields = [*["", ""], *stat.rpartition(")")[2].split()]
        start, end = int(fields[_ARG_START]), int(fields[_ARG_END])
        if start and end > start:  # the kernel hides them from a process that it does not trust
            ctypes.memmove(start, fitted_title(words, end - start), end - start)
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_NAME, name.encode(), 0, 0, 0)


def fitted_title(words: Sequence[str], size: int) -> bytes:
    """Return words as a command line of exactly `size` bytes: each ends with a zero byte, and zeros follow."""
    line = b"".join(word.encode() + b"\0" for word in words)[: size - 1]
    return line.ljust(size, b"\0")
