"""Divides the latency of a frame into its parts, by the times that the worker of its last tile reports. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.payloads.bridge import FrameTime

if TYPE_CHECKING:
    from shared.payloads.cluster import Latency
    from shared.wire.headers import ResultHeader


def divide_latency(latency: Latency, last: ResultHeader | None) -> FrameTime:
    """Return the parts of a frame's latency. `last` is the header of the result that completed the frame.

    The gateway may first hear of a whole frame when its result arrives, or shortly before. Then `latency.tiles` is too
    short, and the rest of the total latency is counted as transfers between devices. The parts never exceed the
    latency, whatever the worker reports.
    """
    finishing = latency.tail + latency.decode
    left = max(latency.tiles, latency.total - latency.transfer - latency.prepare - latency.order - finishing)
    invited = min(latency.transfer, last.info.invite_ms) if last is not None else 0.0
    waiting = min(left, last.waited_ms) if last is not None else 0.0
    computing = min(left - waiting, last.compute_ms) if last is not None else 0.0
    opened_in_time = latency.tiles >= waiting + computing
    return FrameTime(
        total_ms=latency.total,
        camera_ms=latency.transfer - invited,
        preparing_ms=latency.prepare,
        waiting_ms=invited + waiting + latency.order,
        computing_ms=computing,
        transfers_ms=(latency.tiles if opened_in_time else left) - waiting - computing,
        finishing_ms=finishing,
    )
