"""Explains, in one sentence, which parts take the time of a frame, and what would help. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.payloads.bridge import FrameTime

MIN_NAMED_SHARE = 0.05
"""Share of a frame's time from which on a part is named; smaller parts are added up."""

MIN_MAIN_SHARE = 0.4
"""The largest part is explained if it has at least this share of the time."""

_PARTS = {
    "waiting_ms": "waiting for a device",
    "computing_ms": "computing",
    "transfers_ms": "on the links between devices",
    "finishing_ms": "the gateway's part",
    "camera_ms": "from the camera to its edge",
    "preparing_ms": "fitting the picture to the network",
}

_CAUSES = {
    "waiting_ms": ", as the devices are busy: fewer frames a second, or another edge, would help",
    "computing_ms": ": a smaller network or faster devices would help",
    "transfers_ms": ": a cable, or a better place for the Wi-Fi, would help",
    "finishing_ms": ", as the gateway is busy: fewer frames a second, or a faster device for it, would help",
    "camera_ms": ": the camera's sub-stream, which has fewer pixels, would help",
    "preparing_ms": ": a camera's sub-stream, which has fewer pixels, would help",
}

_COMPUTED_WHOLE = (
    ", by one device: a smaller network or a faster device would help; another edge computes more frames, none sooner"
)
"""The cause for "computing_ms" if each frame is computed by one device."""


def explain_frame_time(time: FrameTime, *, whole: bool = False) -> str:
    """Return the sentence; empty if nothing was measured. `whole`: frames are not divided into tiles now."""
    total = time.total_ms
    if total <= 0:
        return ""
    parts = sorted(((getattr(time, part), part) for part in _PARTS), reverse=True)
    named = [(took, part) for took, part in parts if took >= MIN_NAMED_SHARE * total]
    texts = [f"{took:.0f} ms {_PARTS[part]}" for took, part in named]
    rest = total - sum(took for took, _ in named)
    if rest >= MIN_NAMED_SHARE * total:
        texts.append(f"{rest:.0f} ms other things")
    text = f"a frame takes {total:.0f} ms: {', '.join(texts)}" if texts else f"a frame takes {total:.0f} ms"
    took, main = parts[0]
    cause = _COMPUTED_WHOLE if whole and main == "computing_ms" else _CAUSES[main]
    return f"{text}; most of it is {_PARTS[main]}{cause}" if took >= MIN_MAIN_SHARE * total else text
