"""Divides the latency of a frame into what it was spent on, by the figures of the tile that completed it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.payloads.bridge import FrameTime

if TYPE_CHECKING:
    from shared.payloads.cluster import Latency
    from shared.wire.headers import ResultHeader


def divide_latency(latency: Latency, last: ResultHeader | None) -> FrameTime:
    """Return the parts of a latency. `last` has the times of the last tile, as far as its worker reports them.

    The gateway may learn of a whole frame by its result, or shortly before: the time of its tiles is too short then,
    and what is left of the latency was spent on the way between the devices. Whatever a worker reports, the parts are
    within the latency.
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
