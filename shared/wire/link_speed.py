"""The usual throughput of a network link, and the time that pixels take over it, coded or not. Pure."""

from __future__ import annotations

USUAL_LINK_BYTES_PER_S = 12.5e6
"""Rate that is assumed between two nodes before their first transfer: 100 Mbit/s."""

CODED_SHARE = 0.5
"""Size of coded pixels relative to uncoded ones; 0.38 to 0.53 was measured with pictures of cameras."""

CODING_S_PER_BYTE = 60e-9
"""Seconds that coding a byte is assumed to take on a small computer, before it is measured; 17e-9 on a fast one."""

DECODING_SHARE = 0.5
"""Time for decoding relative to that for coding; 0.4 was measured."""


def predict_transfer_s(size: int, bytes_per_s: float) -> float:
    """Return the seconds that `size` bytes of pixels should take to another node, coded if that is faster."""
    coding_s = size * CODING_S_PER_BYTE * (1 + DECODING_SHARE)
    return min(size / bytes_per_s, CODED_SHARE * size / bytes_per_s + coding_s)
