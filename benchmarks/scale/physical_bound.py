"""Computes what no plan can exceed: the throughput of divided frames if everything overlapped perfectly. Pure.

It is a model of its own, apart from the planner's: it knows devices and links only, no messages, no waiting.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.cluster.shaping import Link

STAGED_WORK = 1.054
"""Operations of three stages, relative to those of the undivided layers: the least that any division has."""


@dataclass(frozen=True, slots=True)
class DividedJob:
    """A frame that is divided: seconds of it on one device, bytes of its pixels and of its results, and the tail's.

    `tail_s`: seconds of the layers behind the cut on the gateway.
    """

    device_s: float
    pixel_bytes: int
    result_bytes: int
    tail_s: float = 0.0


def bound_frames_per_s(job: DividedJob, speeds: Sequence[float], link: Link) -> float:
    """Return the greatest number of frames a second; `speeds` are those of devices, relative to the job's.

    The first device has the camera. Over links of their own, it sends the pixels of the others' tiles, which are as
    large as fits their speeds, and all results meet at the gateway's link; a shared medium carries both.
    """
    sent = job.pixel_bytes * (1 - speeds[0] / sum(speeds))
    sending_s = sent / link.rate_bytes, job.result_bytes / link.rate_bytes
    computing_s = STAGED_WORK * job.device_s / sum(speeds)
    return 1 / max(computing_s, job.tail_s, *([sum(sending_s)] if link.shared else sending_s))
