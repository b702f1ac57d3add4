"""Sections of profiles, such as home and away: changes to cameras that apply together."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from camera_sources.frame_rate import MAX_FPS
from gateway.configuration.names import ConfiguredName, LabelList, require_distinct
from shared.settings.section import Section

MAX_PROFILES = 32
"""Profiles of a configuration: more than a person can choose from."""


class ProfileCameraSection(Section):
    """One camera in a profile; keys that are not there are as in the section cameras."""

    enabled: bool | None = None
    """Read this camera."""
    detect: bool | None = None
    """Detect objects in its frames."""
    threshold: float | None = Field(default=None, ge=0, le=1)
    """The median of an object's scores must reach this, instead of the threshold of its filters."""
    fps: float | None = Field(default=None, gt=0, le=MAX_FPS)
    """Maximum frames a second."""
    labels: LabelList | None = None
    """Labels that are followed."""
    zones: dict[ConfiguredName, bool] = Field(default_factory=dict)
    """Zones of the camera that are on or off."""


class ProfileSection(Section):
    """Changes that apply while this profile is chosen."""

    friendly_name: str | None = Field(default=None, min_length=1)
    """Its name on the page; by default its name in this file."""
    cameras: Annotated[dict[ConfiguredName, ProfileCameraSection], AfterValidator(require_distinct)] = Field(
        default_factory=dict
    )
    """Cameras by name."""


UNCHANGED_CAMERA = ProfileCameraSection()
"""The section of a camera that the chosen profile does not name."""
