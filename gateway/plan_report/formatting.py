"""Formats figures and names for people."""

from __future__ import annotations

_MIB = 2**20


def shorten(name: str, width: int) -> str:
    """Return a name in at most `width` characters; a longer one is cut in the middle."""
    if len(name) <= width:
        return name
    kept = max(0, width - 1)
    front = (kept + 1) // 2
    return (name[:front] + "…" + name[len(name) - (kept - front) :])[:width]


def format_bytes(count: int) -> str:
    """Return a number of bytes in KiB, or in MiB from one MiB on."""
    return f"{count / _MIB:.2f} MiB" if count >= _MIB else f"{count / 1024:.0f} KiB"


def format_mebibytes(count: int) -> str:
    """Return a number of bytes in MiB, without the unit; "" for 0."""
    return f"{count / _MIB:.2f}" if count else ""


def format_share(value: float) -> str:
    """Return a share in percent."""
    return f"{value:.0%}".replace("%", " %")


def format_reduction(reduction: float) -> str:
    """Return a reduction in percent: -58 % for 0.58."""
    return format_share(-reduction) if round(reduction, 2) else "0 %"
