"""Follows what the cameras of each owner get of the cluster, so that thieves can help those that get the least. Pure.

A frame counts for what its owner computed itself, and each grant for what a thief is to compute of a frame: also if the
frame is lost then, so that an owner whose frames always fail cannot have all thieves.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

MEMORY_S = 20.0
"""Frames count less with time, by a factor of e in this time: an owner that comes back has no claim to what it missed.
"""

CAMERA_MEMORY_S = 60.0
"""A camera without frames for this time does not count any more."""


@dataclass(slots=True)
class _Share:
    """The frames of an owner, as of a time, and when each of its cameras had its last frame."""

    frames: float = 0.0
    at: float = -math.inf
    cameras: dict[str, float] = field(default_factory=dict)

    def frames_at(self, now: float) -> float:
        return self.frames * math.exp(min(0.0, self.at - now) / MEMORY_S)

    def add(self, frames: float, now: float) -> None:
        self.frames, self.at = max(0.0, self.frames_at(now) + frames), now


class FairShares:
    """The recent frames of each owner, for each of its cameras."""

    def __init__(self) -> None:
        self._shares: dict[str, _Share] = {}

    def add_frame(self, owner: str, camera: str, own_part: float, now: float) -> None:
        """Count a published frame, of which its owner computed this part itself."""
        share = self._share(owner)
        share.add(own_part, now)
        share.cameras[camera] = now
        share.cameras = {name: at for name, at in share.cameras.items() if now - at < CAMERA_MEMORY_S}

    def add_grant(self, owner: str, part: float, now: float) -> None:
        """Count a grant of this part of a frame."""
        self._share(owner).add(part, now)

    def return_grant(self, owner: str, part: float, now: float) -> None:
        """Count a grant less: its thief found nothing at the owner."""
        if owner in self._shares:
            self._shares[owner].add(-part, now)

    def frames_of(self, owner: str, now: float) -> float:
        """Return the recent frames of an owner's cameras, in the mean of these."""
        share = self._shares.get(owner)
        return 0.0 if share is None else share.frames_at(now) / max(1, len(share.cameras))

    def forget_owner(self, owner: str) -> None:
        """Forget an owner that is gone."""
        self._shares.pop(owner, None)

    def _share(self, owner: str) -> _Share:
        return self._shares.setdefault(owner, _Share())
