"""Divides the latency of a frame into what it was spent on, by the figures of the tile that completed it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.payloads.bridge import FrameTime

if TYPE_CHECKING:
    from shared.payloads.cluster import Latency
    from shared.wire.headers import ResultHeader


def divide_latency(latency: Latency, last: ResultHeader | None) -> FrameTime:
    """Return the parts of a latency. `last` has the times of the last tile, as far as its worker reports them.

    Tiles wait and are computed within the time from the frame's opening to its completion, whatever is reported.
    """
    left = latency.tiles
    waiting = min(left, last.waited_ms) if last is not None else 0.0
    left -= waiting
    computing = min(left, last.compute_ms) if last is not None else 0.0
    return FrameTime(
        total_ms=latency.total,
        camera_ms=latency.transfer,
        preparing_ms=latency.prepare,
        waiting_ms=waiting,
        computing_ms=computing,
        transfers_ms=left - computing,
        finishing_ms=latency.tail + latency.decode,
    )
