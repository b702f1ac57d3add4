"""Keeps the overrides (settings of cameras that were set by MQTT) and the chosen profile over restarts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, Field

from gateway.configuration.names import Label, require_distinct
from shared.payloads.base import Message

if TYPE_CHECKING:
    from collections.abc import Collection

    from gateway.state.state_file import StateFile
    from gateway.state.state_folder import StateFolder

OVERRIDES_FILE = "cameras.json"
OVERRIDES_LOST = "camera settings made by MQTT are lost when the gateway stops"

PROFILE_FILE = "profile.json"
PROFILE_LOST = "the profile that was chosen by MQTT is lost when the gateway stops"

MAX_OVERRIDDEN_AREAS = 1000
"""Zones and masks of one camera that have a state; nobody draws more."""

OverrideLabels = Annotated[tuple[Label, ...], AfterValidator(require_distinct)]


class Overrides(Message):
    """The settings of one camera that were set by MQTT; None: the value of the profile or the configuration applies."""

    enabled: bool | None = None
    detect: bool | None = None
    threshold: float | None = Field(default=None, ge=0, le=1)
    fps: float | None = Field(default=None, gt=0, le=240)
    labels: OverrideLabels | None = Field(default=None, max_length=256)
    areas: dict[str, bool] = Field(default_factory=dict, max_length=MAX_OVERRIDDEN_AREAS)
    """The state of zones and masks, by their keys; true: on."""


OverridesByCamera = dict[str, Overrides]

_NONE = Overrides()


class ChosenProfile(Message):
    """The profile that somebody chose; empty: nobody did."""

    profile: str = ""


class OverridesFile:
    """Overrides by camera, and the chosen profile. Every change rewrites a file."""

    def __init__(self, folder: StateFolder) -> None:
        self._file: StateFile[OverridesByCamera] = folder.register_file(
            OVERRIDES_FILE, OverridesByCamera, OVERRIDES_LOST
        )
        self._cameras = self._file.read() or {}
        self._profile_file: StateFile[ChosenProfile] = folder.register_file(PROFILE_FILE, ChosenProfile, PROFILE_LOST)
        self._profile = (self._profile_file.read() or ChosenProfile()).profile

    def overrides_of(self, camera: str) -> Overrides:
        """Return the overrides of a camera."""
        return self._cameras.get(camera, _NONE)

    def keep_only(self, cameras: Collection[str]) -> None:
        """Delete the overrides of all cameras but these."""
        for camera in self._cameras.keys() - set(cameras):
            self.set_overrides(camera, Overrides())

    def set_overrides(self, camera: str, overrides: Overrides) -> None:
        """Store the overrides of a camera; in memory only if the file cannot be written."""
        if overrides == Overrides():
            self._cameras.pop(camera, None)
        else:
            self._cameras[camera] = overrides
        self._file.write(dict(sorted(self._cameras.items())))

    @property
    def profile(self) -> str:
        """Return the chosen profile; empty if nobody has chosen one."""
        return self._profile

    def choose_profile(self, name: str) -> None:
        """Store the chosen profile; in memory only if the file cannot be written."""
        self._profile = name
        self._profile_file.write(ChosenProfile(profile=name))
