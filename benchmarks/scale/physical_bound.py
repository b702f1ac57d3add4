"""Computes the throughput of divided frames that no plan can exceed. Pure.

It assumes that computing and sending overlap perfectly. The planner's prediction is not used: this model knows only
the speeds of devices and links, and nothing of messages and waiting.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.cluster.shaping import Link

STAGED_WORK = 1.054
"""Operations of a division into three stages, relative to those of the undivided layers. No division has fewer."""


@dataclass(frozen=True, slots=True)
class DividedJob:
    """The work of a frame that is divided.

    `device_s`: time that one device needs for the layers before the cut; `result_bytes`: those of the maps at the cut;
    `tail_s`: time that the gateway needs for the layers behind the cut.
    """

    device_s: float
    pixel_bytes: int
    result_bytes: int
    tail_s: float = 0.0


def bound_frames_per_s(job: DividedJob, speeds: Sequence[float], link: Link) -> float:
    """Return the largest possible number of frames a second.

    `speeds`: of each device, relative to the one of `device_s`; the first device has the camera. It sends the pixels
    of the other devices' tiles, whose sizes fit these speeds. All results go over the gateway's link. A shared medium
    carries both.
    """
    sent = job.pixel_bytes * (1 - speeds[0] / sum(speeds))
    sending_s = sent / link.rate_bytes, job.result_bytes / link.rate_bytes
    computing_s = STAGED_WORK * job.device_s / sum(speeds)
    return 1 / max(computing_s, job.tail_s, *([sum(sending_s)] if link.shared else sending_s))
