"""The usual throughput of a network link, and how long pixels take over it, coded or not. Pure."""

from __future__ import annotations

USUAL_LINK_BYTES_PER_S = 12.5e6
"""Assumed between two nodes before their first transfer: 100 Mbit/s."""

CODED_SHARE = 0.5
"""Of the bytes of pictures of cameras: measured 0.38 to 0.53."""

CODING_S_PER_BYTE = 60e-9
"""Assumed seconds to code a byte on a small computer, before that is measured: 17e-9 on a fast one."""

DECODING_SHARE = 0.5
"""Of the time for coding: measured 0.4."""


def predict_transfer_s(size: int, bytes_per_s: float) -> float:
    """Return the seconds in which so many bytes of pixels should be with another node, coded where that is faster."""
    coding_s = size * CODING_S_PER_BYTE * (1 + DECODING_SHARE)
    return min(size / bytes_per_s, CODED_SHARE * size / bytes_per_s + coding_s)
