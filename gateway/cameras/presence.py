"""Tracks which cameras are online, from the reports of their agents and from missing reports. Pure.

The caller gives the time, in monotonic seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shared.payloads.cluster import AGENT_STOPPED, State

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shared.payloads.cluster import CameraStats

CAMERA_SILENCE_TIMEOUT_S = 75.0
"""An edge reports a camera every 30 s, changed or not; after two missing reports the camera counts as offline."""

REMOVED_CAMERA_TIMEOUT_S = 30.0
"""The reports about a removed camera are ignored for this long; its agent ends within this time."""

MAX_KNOWN_CAMERAS = 1000
"""Camera names that are remembered; further ones are ignored, as a faulty client may invent names without end."""


@dataclass(frozen=True, slots=True)
class PresenceChange:
    """A camera went offline, or came online."""

    camera: str
    online: bool
    reason: str = ""


@dataclass(slots=True)
class _Camera:
    online: bool = False
    reason: str = "no edge has reported it yet"
    problem: str = ""
    """The problem of a camera that is online; empty if there is none."""
    node: str = ""
    received_at: float = 0.0
    finished: bool = False
    seen: bool = False
    """It has been online at some time since the gateway's start."""
    online_at: float = 0.0


@dataclass(slots=True)
class CameraPresence:
    """The presence of all cameras that are configured or were reported."""

    _cameras: dict[str, _Camera] = field(default_factory=dict)
    _removed: dict[str, float] = field(default_factory=dict)

    def expect_cameras(self, cameras: Iterable[str]) -> None:
        """Add cameras that are configured."""
        for name in cameras:
            self._cameras.setdefault(name, _Camera())
            self._removed.pop(name, None)

    def forget_camera(self, camera: str, now: float) -> None:
        """Forget a camera that is no longer configured; ignore the reports of its agent while that ends."""
        self._cameras.pop(camera, None)
        self._removed[camera] = now

    def is_leaving(self, stats: CameraStats, now: float) -> bool:
        """Return whether these stats are from the agent of a removed camera; the agent is about to end.

        The camera was removed a moment ago, or while the gateway was away. In the latter case the camera is unknown,
        although its edge reports that the gateway has assigned it.
        """
        unknown = stats.camera not in self._cameras
        return unknown and (
            stats.assigned or now - self._removed.get(stats.camera, float("-inf")) < REMOVED_CAMERA_TIMEOUT_S
        )

    def on_stats(self, stats: CameraStats, now: float) -> PresenceChange | None:
        """Handle the report of an agent. Return the change, if there is one."""
        unknown = stats.camera not in self._cameras
        if self.is_leaving(stats, now) or (unknown and len(self._cameras) >= MAX_KNOWN_CAMERAS):
            return None
        known = self._cameras.setdefault(stats.camera, _Camera())
        known.node, known.received_at = stats.node, now
        online = stats.state is not State.OFFLINE and not stats.ended
        known.finished = stats.ended and stats.reason != AGENT_STOPPED
        known.seen |= online
        if online and not known.online:
            known.online_at = now
        known.problem = stats.reason if online else ""
        return self._set(stats.camera, online, "its source has ended" if known.finished else stats.reason)

    def on_node_lost(self, node: str) -> list[PresenceChange]:
        """Set the cameras of a lost edge offline. Return the changes."""
        lost = [name for name, camera in self._cameras.items() if camera.node == node and camera.online]
        changes = [self._set(name, online=False, reason=f"its edge {node} is gone") for name in lost]
        return [change for change in changes if change is not None]

    def expire_silent(self, now: float) -> list[PresenceChange]:
        """Set cameras without recent reports offline. Return the changes."""
        silent = [
            name
            for name, camera in self._cameras.items()
            if camera.online and now - camera.received_at > CAMERA_SILENCE_TIMEOUT_S
        ]
        changes = [self._set(name, online=False, reason="no edge reports it any more") for name in silent]
        return [change for change in changes if change is not None]

    def is_known(self, camera: str) -> bool:
        """Return whether a camera is configured, or was reported."""
        return camera in self._cameras

    def is_online(self, camera: str) -> bool:
        """Return whether a camera is online."""
        return camera in self._cameras and self._cameras[camera].online

    def source_ended(self, camera: str) -> bool:
        """Return whether a camera's source has ended, so that no picture will follow."""
        return camera in self._cameras and self._cameras[camera].finished

    def online_for_s(self, camera: str, now: float) -> float:
        """Return for how many seconds a camera has been online; 0 if it is offline."""
        return now - self._cameras[camera].online_at if self.is_online(camera) else 0.0

    def was_online(self, camera: str) -> bool:
        """Return whether a camera has been online at some time since the gateway's start."""
        return camera in self._cameras and self._cameras[camera].seen

    def offline_reason(self, camera: str) -> str:
        """Return why a camera is offline; empty if it is online or unknown."""
        known = self._cameras.get(camera)
        return "" if known is None or known.online else known.reason

    @property
    def problems(self) -> dict[str, str]:
        """Return the problems of cameras that are online, by name."""
        return {
            name: camera.problem for name, camera in sorted(self._cameras.items()) if camera.online and camera.problem
        }

    @property
    def cameras(self) -> tuple[str, ...]:
        """Return the names of all known cameras."""
        return tuple(sorted(self._cameras))

    def _set(self, name: str, online: bool, reason: str) -> PresenceChange | None:
        camera = self._cameras[name]
        changed = camera.online != online
        camera.online, camera.reason = online, "" if online else reason
        return PresenceChange(name, online, camera.reason) if changed else None
