"""Chooses the cameras whose newest picture is wanted, pure: of those that have one, the one that waited longest.

Agents offer a picture, and the edge invites it when it is about to have time for it. So each frame is the newest of its
camera, and all cameras get equal numbers of frames. The only camera need not offer: nothing is to be chosen. Time is
monotonic seconds, given by the caller.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_INVITATION_S = 1.0
"""An invited frame that takes longer is not waited for: its camera had no picture after all."""

EXCESS_FRAMES = 8
"""A camera with hardly more pictures than are invited shows that in one of so many frames."""


@dataclass(slots=True)
class _Camera:
    """`offered`: a picture waits at the agent; `invited_at` is the time of an invitation without a frame yet.

    `offers`: its agent offers pictures; that of the release before does not, and is invited unasked. `hurries`: its
    last picture waited for the invitation, so that the next one should come at once; `number`: that of its last
    frame; `excess`: after so many more frames without a sign of others, it is not saturated. `active_at`: when it was
    invited, or a frame of it ended.
    """

    frames: int = 0
    offers: bool = True
    offered: bool = False
    hurries: bool = False
    number: int | None = None
    excess: int = 0
    invited_at: float | None = None
    active_at: float = -math.inf

    @property
    def saturated(self) -> bool:
        return self.excess > 0 or (self.offered and self.offers)


class Invitations:
    """Cameras with up to `max_frames()` frames each under way, as of now; the longest uninvited comes first."""

    def __init__(self, max_frames: Callable[[], int]) -> None:
        self._max_frames = max_frames
        self._cameras: dict[str, _Camera] = {}

    @property
    def needs_offers(self) -> bool:
        """Return whether agents must say that they have a picture."""
        return len(self._cameras) > 1

    def on_connected(self, camera: str, frames: int, *, offers: bool = True) -> None:
        """Add a camera; `frames` of it are under way from an earlier connection."""
        self._cameras[camera] = _Camera(frames, offers, not offers)  # one that is known keeps its turn

    def on_gone(self, camera: str) -> None:
        """Remove a camera."""
        self._cameras.pop(camera, None)

    def on_offer(self, camera: str) -> None:
        """Note that a camera's agent has a picture."""
        if camera in self._cameras:
            self._cameras[camera].offered = True

    def on_frame(self, camera: str, number: int, *, waited: bool) -> None:
        """Note that a camera's frame of this number has come, which is under way now.

        `waited`: it was there when it was invited. Numbers that are missing are those of pictures that newer ones have
        replaced.
        """
        entry = self._cameras.get(camera)
        if entry is not None:
            entry.frames += 1
            entry.hurries = waited
            replaced = entry.number is not None and number > entry.number + 1
            entry.number, entry.excess = number, EXCESS_FRAMES if waited or replaced else max(0, entry.excess - 1)

    def on_frame_accepted(self, camera: str, now: float) -> float | None:
        """Note that a camera's frame is queued or has ended; return the seconds since its invitation, None without."""
        entry = self._cameras.get(camera)
        if entry is None:
            return None
        invited_at, entry.invited_at = entry.invited_at, None
        return None if invited_at is None else now - invited_at

    def on_frame_end(self, camera: str, now: float) -> None:
        """Note that a frame of a camera has ended."""
        entry = self._cameras.get(camera)
        if entry is not None:
            entry.frames, entry.active_at = max(0, entry.frames - 1), now

    def invited(self, now: float) -> int:
        """Return the number of invited frames that should come soon."""
        times = [entry.invited_at for entry in self._cameras.values() if entry.invited_at is not None]
        return sum(1 for invited_at in times if now - invited_at < MAX_INVITATION_S)

    def expected_s(self, now: float, way_s: float) -> float:
        """Return the seconds within which a frame should come from a camera whose pictures wait, 0 if none should.

        `way_s`: the time that an invitation and its frame need; a saturated camera may have to take the next picture
        first. Frames that other nodes have may keep it from being invited: to take theirs in exchange would be of no
        use to anybody.
        """
        times = [
            entry.active_at + (way_s if entry.hurries else MAX_INVITATION_S)
            for entry in self._cameras.values()
            if entry.hurries or entry.saturated
        ]
        return max(0.0, max(times) - now) if times else 0.0

    @property
    def saturated(self) -> bool:
        """Return whether a camera has more pictures than are invited: one that is wanted comes at once."""
        return any(entry.saturated for entry in self._cameras.values())

    @property
    def may_have_more(self) -> bool:
        """Return whether a saturated camera may have one more frame under way."""
        return any(
            entry.saturated and entry.frames + (entry.invited_at is not None) < self._max_frames()
            for entry in self._cameras.values()
        )

    @property
    def may_invite(self) -> bool:
        """Return whether there is a camera to invite."""
        return any(self._can_send(entry) for entry in self._cameras.values())

    def choose(self, count: int, now: float) -> list[str]:
        """Invite the frames of up to `count` cameras; return their names."""
        chosen = [name for name, entry in self._cameras.items() if self._can_send(entry)][:count]
        for name in chosen:
            entry = self._cameras[name] = self._cameras.pop(name)  # moved to the end: the others come first
            entry.hurries |= entry.offered and entry.offers
            entry.offered, entry.invited_at, entry.active_at = not entry.offers, now, now
        return chosen

    def _can_send(self, entry: _Camera) -> bool:
        return (
            (entry.offered or not self.needs_offers) and entry.invited_at is None and entry.frames < self._max_frames()
        )
