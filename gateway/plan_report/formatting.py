"""Figures and names as people read them."""

from __future__ import annotations

_MIB = 2**20


def shorten(name: str, width: int, gap: str = "…") -> str:
    """A name in at most `width` characters: a long one keeps its beginning and its end."""
    if len(name) <= width:
        return name
    kept = max(0, width - len(gap))
    front = (kept + 1) // 2
    return (name[:front] + gap + name[len(name) - (kept - front) :])[:width]


def format_bytes(count: int) -> str:
    """Bytes in KiB, or in MiB from one on."""
    return f"{count / _MIB:.2f} MiB" if count >= _MIB else f"{count / 1024:.0f} KiB"


def format_mebibytes(count: int) -> str:
    """Bytes in MiB, without the unit; nothing for none."""
    return f"{count / _MIB:.2f}" if count else ""


def format_share(value: float) -> str:
    return f"{value:.0%}".replace("%", " %")


def format_reduction(reduction: float) -> str:
    """What a reduction makes less: -58 % for 0.58."""
    return format_share(-reduction) if round(reduction, 2) else "0 %"
