"""Compares the frames that a cluster can compute with those of its fastest device alone. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from shared.payloads.base import Message

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MIN_GAIN = 1.1
"""If all devices together compute fewer than this many times the frames of the fastest one, the others do not help."""


class ClusterGain(Message):
    """The rates of the measured devices, by their speeds at the load of now; the handling of frames is not in them."""

    frames_per_s: float = Field(description="that they can compute together, in the division of now")
    fastest: str = Field(description="the fastest of them")
    fastest_frames_per_s: float = Field(description="that it could compute alone, each frame whole")
    devices: int = Field(description="that are measured")
    unmeasured: tuple[str, ...] = Field(default=(), description="devices whose speed is not known yet")
    work: float = Field(default=1.0, description="operations of a frame, relative to the undivided network")


def cluster_gain(rates: Mapping[str, float | None], work: float) -> ClusterGain | None:
    """Return the gain of the devices that compute, None while none of them is measured.

    `rates`: by device, the whole frames a second that it could compute, None for one that is not measured.
    """
    known = {name: rate for name, rate in rates.items() if rate}
    if not known:
        return None
    fastest = max(sorted(known), key=known.__getitem__)
    return ClusterGain(
        frames_per_s=round(sum(known.values()) / work, 2),
        fastest=fastest,
        fastest_frames_per_s=round(known[fastest], 2),
        devices=len(known),
        unmeasured=tuple(sorted(name for name in rates if name not in known)),
        work=work,
    )


def explain_gain(gain: ClusterGain | None, devices: Sequence[str]) -> str:
    """Return the gain as a sentence; empty if no `devices` compute."""
    if not devices:
        return ""
    if gain is None:
        return "not known yet how fast the devices are: each measures it when it has prepared its program"
    alone = _number(gain.fastest_frames_per_s)
    if gain.devices > 1:
        text = f"these {gain.devices} devices can compute up to {_number(gain.frames_per_s)} frames/s; the fastest of "
        text += f"them alone, {gain.fastest}, could compute {alone}"
    else:
        text = f"{gain.fastest} can compute up to {alone} frames/s"
        text += "" if gain.unmeasured else "; it is the only device"
    if gain.work > 1:
        text += f", each frame whole; tiles are {gain.work:.3g} times the work"
        if gain.devices > 1 and gain.frames_per_s < MIN_GAIN * gain.fastest_frames_per_s:
            text += ", too much for so few devices: --method auto, or a coarser grid, would help"
    if gain.unmeasured:
        text += f"; not measured yet: {', '.join(gain.unmeasured)}"
    return text


def _number(rate: float) -> str:
    return f"{rate:.0f}" if rate >= 10 else f"{rate:.2g}"
