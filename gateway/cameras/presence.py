"""Whether a camera is there, pure: what its agent says, and what is not heard of it any more.

Time is monotonic seconds, given by the caller.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shared.payloads.cluster import AGENT_STOPPED, State

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shared.payloads.cluster import CameraStats

CAMERA_SILENCE_TIMEOUT_S = 75.0
"""An edge says how a camera is every 30 s, changed or not; after two of them without a word nobody knows."""

REMOVED_CAMERA_TIMEOUT_S = 30.0
"""The agent of a camera that was removed ends within this time; what it says until then is not listened to."""

MAX_KNOWN_CAMERAS = 1000
"""Names that are remembered; a client that invents them without end is not listened to further."""


@dataclass(frozen=True, slots=True)
class PresenceChange:
    """A camera was lost, or is back."""

    camera: str
    online: bool
    reason: str = ""


@dataclass(slots=True)
class _Camera:
    online: bool = False
    reason: str = "nothing was heard of it yet"
    problem: str = ""
    """What is wrong with it although it is online."""
    node: str = ""
    heard_at: float = 0.0
    finished: bool = False
    seen: bool = False
    """It was online at some time."""
    online_at: float = 0.0


@dataclass(slots=True)
class CameraPresence:
    """All cameras that were heard of, or are configured."""

    _cameras: dict[str, _Camera] = field(default_factory=dict)
    _removed: dict[str, float] = field(default_factory=dict)

    def expect_cameras(self, cameras: Iterable[str]) -> None:
        """These cameras are configured."""
        for name in cameras:
            self._cameras.setdefault(name, _Camera())
            self._removed.pop(name, None)

    def forget_camera(self, camera: str, now: float) -> None:
        """Forget a camera that is no longer configured; what its agent says while it ends is not listened to."""
        self._cameras.pop(camera, None)
        self._removed[camera] = now

    def is_leaving(self, stats: CameraStats, now: float) -> bool:
        """Return whether these are of a camera that is configured no more, whose agent still ends.

        It was removed a short while ago, or while the gateway was away: then its edge says that it reads it for us.
        """
        unknown = stats.camera not in self._cameras
        return unknown and (
            stats.assigned or now - self._removed.get(stats.camera, float("-inf")) < REMOVED_CAMERA_TIMEOUT_S
        )

    def on_stats(self, stats: CameraStats, now: float) -> PresenceChange | None:
        """An agent has said how its camera is."""
        unknown = stats.camera not in self._cameras
        if self.is_leaving(stats, now) or (unknown and len(self._cameras) >= MAX_KNOWN_CAMERAS):
            return None
        known = self._cameras.setdefault(stats.camera, _Camera())
        known.node, known.heard_at = stats.node, now
        online = stats.state is not State.OFFLINE and not stats.ended
        known.finished = stats.ended and stats.reason != AGENT_STOPPED
        known.seen |= online
        if online and not known.online:
            known.online_at = now
        known.problem = stats.reason if online else ""
        return self._set(stats.camera, online, "its source has ended" if known.finished else stats.reason)

    def on_node_lost(self, node: str) -> list[PresenceChange]:
        """Its edge is gone."""
        lost = [name for name, camera in self._cameras.items() if camera.node == node and camera.online]
        changes = [self._set(name, online=False, reason=f"its edge {node} is gone") for name in lost]
        return [change for change in changes if change is not None]

    def expire_silent(self, now: float) -> list[PresenceChange]:
        """Cameras of which nothing was heard for too long."""
        silent = [
            name
            for name, camera in self._cameras.items()
            if camera.online and now - camera.heard_at > CAMERA_SILENCE_TIMEOUT_S
        ]
        changes = [self._set(name, online=False, reason="nothing is heard of it any more") for name in silent]
        return [change for change in changes if change is not None]

    def is_online(self, camera: str) -> bool:
        return camera in self._cameras and self._cameras[camera].online

    def source_ended(self, camera: str) -> bool:
        """Return whether its source has come to its end: no picture will follow."""
        return camera in self._cameras and self._cameras[camera].finished

    def online_for_s(self, camera: str, now: float) -> float:
        """Return for how many seconds it has been online; 0 if it is not."""
        return now - self._cameras[camera].online_at if self.is_online(camera) else 0.0

    def was_online(self, camera: str) -> bool:
        """Return whether it was online at some time."""
        return camera in self._cameras and self._cameras[camera].seen

    def offline_reason(self, camera: str) -> str:
        """Why it is not there; empty when it is."""
        known = self._cameras.get(camera)
        return "" if known is None or known.online else known.reason

    @property
    def problems(self) -> dict[str, str]:
        """Return what is wrong with cameras that are online, by name."""
        return {
            name: camera.problem for name, camera in sorted(self._cameras.items()) if camera.online and camera.problem
        }

    @property
    def cameras(self) -> tuple[str, ...]:
        return tuple(sorted(self._cameras))

    def _set(self, name: str, online: bool, reason: str) -> PresenceChange | None:
        camera = self._cameras[name]
        changed = camera.online != online
        camera.online, camera.reason = online, "" if online else reason
        return PresenceChange(name, online, camera.reason) if changed else None
