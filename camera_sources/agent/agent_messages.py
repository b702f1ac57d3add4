"""Makes the header of a frame for the edge, and describes the edge's control messages."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from shared.wire.camera_headers import FrameHeader

if TYPE_CHECKING:
    from camera_sources.agent.mailbox import Shot
    from shared.payloads.frames import FrameInfo
    from shared.wire.camera_headers import ControlHeader


def frame_header(info: FrameInfo, shot: Shot, offset: int | None, *, waited: bool) -> FrameHeader:
    """Return the header of a frame that is sent now; `offset` and `waited` as in FrameHeader."""
    return FrameHeader(
        info=info,
        offset=offset,
        waited=waited,
        capture_ms=max(0.0, shot.ready_at - shot.captured_at) * 1e3,
        invite_ms=max(0.0, time.time() - shot.ready_at) * 1e3,
        cpu_ms=shot.cpu_s * 1e3,
    )


def describe_control(control: ControlHeader) -> str:
    """Return an edge's control message as text for the log."""
    if not control.detect:
        return "detection is off"
    return f"detection is on{f', at most {control.fps:g} frames a second' if control.fps else ''}"
