"""The usual throughput of a network link."""

from __future__ import annotations

USUAL_LINK_BYTES_PER_S = 12.5e6
"""Assumed between two nodes before their first transfer: 100 Mbit/s."""
