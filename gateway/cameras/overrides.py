"""What was set of cameras by MQTT, kept over restarts of the gateway."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, Field

from gateway.configuration.names import Label, require_distinct
from shared.payloads.base import Message

if TYPE_CHECKING:
    from collections.abc import Collection

    from gateway.state.state_file import StateFile
    from gateway.state.state_folder import StateFolder

FILE = "cameras.json"
LOST = "what was set of cameras by MQTT does not outlive the gateway"

Labels = Annotated[tuple[Label, ...], AfterValidator(require_distinct)]


class Overrides(Message):
    """What was set of one camera; None is what the configuration says."""

    enabled: bool | None = None
    detect: bool | None = None
    threshold: float | None = Field(default=None, ge=0, le=1)
    fps: float | None = Field(default=None, gt=0, le=240)
    labels: Labels | None = Field(default=None, max_length=256)


All = dict[str, Overrides]


class OverridesFile:
    """Overrides by camera, written whole at every change."""

    def __init__(self, folder: StateFolder) -> None:
        self._file: StateFile[All] = folder.register_file(FILE, All, LOST)
        self._cameras = self._file.read() or {}

    def of(self, camera: str) -> Overrides:
        """Return what was set of a camera."""
        return self._cameras.get(camera, Overrides())

    def keep_only(self, cameras: Collection[str]) -> None:
        """Forget what was set of other cameras than these."""
        for camera in self._cameras.keys() - set(cameras):
            self.set(camera, Overrides())

    def set(self, camera: str, overrides: Overrides) -> None:
        """Keep it; where it cannot be written, in memory only."""
        if overrides == Overrides():
            self._cameras.pop(camera, None)
        else:
            self._cameras[camera] = overrides
        self._file.write(dict(sorted(self._cameras.items())))
