"""Keeps all scenes in the state folder, so that events survive a gateway that stops or is killed."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from gateway.observation.scene.kept import KeptScene
from shared.payloads.base import Message

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gateway.state.state_file import StateFile
    from gateway.state.state_folder import StateFolder

SCENES_FILE = "scenes.json"

_SCENES_LOST = "events that are open when the gateway stops will have no end"

_MOVING_WRITE_PERIOD_S = 5.0
"""Positions are written this often while objects move, so that a restarted gateway finds a walker near its place."""

_TOUCH_PERIOD_S = 20.0
"""The file is touched this often while objects are at rest. So its time shows when a gateway that was killed ended."""


class KeptEntry(Message):
    """The scene of a camera. `away_since` (seconds since 1970) is set if no frames came when it was written."""

    away_since: float | None = None
    scene: KeptScene


_Entries = dict[str, KeptEntry]


class SceneStore:
    """The scenes of the last run, which are read once, and the current ones, which are written."""

    def __init__(self, folder: StateFolder) -> None:
        self._file: StateFile[_Entries] = folder.register_file(SCENES_FILE, _Entries, _SCENES_LOST, durable=False)
        self._entries: _Entries = {}
        self._encoded: dict[str, bytes] = {}
        self._written_at = -_TOUCH_PERIOD_S
        self._is_written = True
        self._inherited = self._read()

    @property
    def cameras(self) -> tuple[str, ...]:
        """Return the cameras of the last run whose scenes have not been taken yet."""
        return tuple(self._inherited)

    def take_scene(self, camera: str) -> KeptScene | None:
        """Remove and return a camera's scene of the last run; None if there is none, or it was taken before."""
        return self._inherited.pop(camera, None)

    def remember_scene(self, camera: str, kept: KeptScene, *, away: bool) -> None:
        """Remember a scene for the next `write`; `away`: no frames come from the camera."""
        if kept.objects or kept.places:
            entry = KeptEntry(away_since=time.time() - kept.away_s if away else None, scene=kept)
            self._entries[camera] = entry
            self._encoded[camera] = entry.model_dump_json(exclude_none=True).encode()
        else:
            self._entries.pop(camera, None)
            self._encoded.pop(camera, None)

    def keep_only(self, cameras: Iterable[str]) -> None:
        """Forget the scenes of all cameras but these."""
        self._entries = {name: self._entries[name] for name in cameras if name in self._entries}
        self._encoded = {name: self._encoded[name] for name in self._entries}

    def write(self) -> bool:
        """Write all remembered scenes; return whether that succeeded.

        It takes some milliseconds: call it in a thread.
        """
        # Mostly one scene changes between two writes, so scenes are encoded when they change, and joined here.
        members = [b"%s:%s" % (json.dumps(name).encode(), entry) for name, entry in list(self._encoded.items())]
        self._is_written = self._file.write_json(b"{%s}" % b",".join(members))
        self._written_at = time.monotonic()
        return self._is_written

    def is_outdated(self, camera: str, *, away: bool) -> bool:
        """Return whether a remembered scene was written before the camera was lost, or before it returned."""
        entry = self._entries.get(camera)
        return entry is not None and (entry.away_since is not None) is not away

    def is_due(self, *, moving: bool) -> bool:
        """Return whether it is time to write positions, or to retry a failed write."""
        return (moving or not self._is_written) and time.monotonic() - self._written_at >= _MOVING_WRITE_PERIOD_S

    def touch(self) -> None:
        """Touch the file, if that is due, because its content is still valid."""
        if self._is_written and self._entries and time.monotonic() - self._written_at >= _TOUCH_PERIOD_S:
            self._is_written = self._file.touch()
            self._written_at = time.monotonic()

    def _read(self) -> dict[str, KeptScene]:
        entries, now = self._file.read() or {}, time.time()
        gone_s = self._file.age_s()
        return {
            camera: entry.scene.model_copy(
                update={"away_s": gone_s if entry.away_since is None else max(0.0, now - entry.away_since)}
            )
            for camera, entry in entries.items()
        }
