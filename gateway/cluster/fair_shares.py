"""Counts the recent frames of each owner's cameras, so that thieves can help the owners that got the fewest. Pure.

An owner is charged with the part of each published frame that it computed itself, and with the part of a frame that it
granted to a thief. Grants count when they are made, also if the frame is lost later: otherwise an owner whose frames
always fail would get all thieves.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

MEMORY_S = 20.0
"""Time in which the weight of a frame falls by a factor of e. So an owner that was away has no claim to what it
missed."""

CAMERA_MEMORY_S = 60.0
"""A camera without frames for this time does not count any more."""


@dataclass(slots=True)
class _Share:
    """The weighted `frames` of an owner at the time `at`, and the time of the last frame of each of its cameras."""

    frames: float = 0.0
    at: float = -math.inf
    cameras: dict[str, float] = field(default_factory=dict)

    def frames_at(self, now: float) -> float:
        """Return the weighted frames at a later time."""
        return self.frames * math.exp(min(0.0, self.at - now) / MEMORY_S)

    def add(self, frames: float, now: float) -> None:
        """Add frames, or parts of them; a negative number takes them back."""
        self.frames, self.at = max(0.0, self.frames_at(now) + frames), now


class FairShares:
    """The recent frames of each owner. Time is monotonic seconds, given by the caller."""

    def __init__(self) -> None:
        self._shares: dict[str, _Share] = {}

    def add_frame(self, owner: str, camera: str, own_part: float, now: float) -> None:
        """Count a published frame; `own_part` (0 to 1) is the part that the owner computed itself."""
        share = self._share(owner)
        share.add(own_part, now)
        share.cameras[camera] = now
        share.cameras = {name: at for name, at in share.cameras.items() if now - at < CAMERA_MEMORY_S}

    def add_grant(self, owner: str, part: float, now: float) -> None:
        """Count a grant of a task that is this part (0 to 1) of a frame."""
        self._share(owner).add(part, now)

    def return_grant(self, owner: str, part: float, now: float) -> None:
        """Take back a grant whose thief found nothing at the owner."""
        if owner in self._shares:
            self._shares[owner].add(-part, now)

    def frames_of(self, owner: str, now: float) -> float:
        """Return the weighted number of recent frames of an owner, divided by the number of its cameras."""
        share = self._shares.get(owner)
        return 0.0 if share is None else share.frames_at(now) / max(1, len(share.cameras))

    def forget_owner(self, owner: str) -> None:
        """Forget an owner that is gone."""
        self._shares.pop(owner, None)

    def _share(self, owner: str) -> _Share:
        return self._shares.setdefault(owner, _Share())
