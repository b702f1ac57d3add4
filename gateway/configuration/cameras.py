"""Sections of a camera."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

from camera_sources.camera_settings import CameraSettings
from camera_sources.frame_rate import DEFAULT_FPS, FrameLimit
from gateway.configuration.names import ConfiguredName, NodeName, require_distinct
from gateway.configuration.objects import ObjectsSection, ZoneSection
from gateway.configuration.urls import CameraUrl
from shared.settings.durations import Seconds
from shared.settings.section import Section


class DetectSection(Section):
    """Detection of objects. Values that are set by MQTT take precedence, and are kept over restarts."""

    enabled: bool = True
    """Detect objects in the frames of this camera."""
    max_disappeared: Seconds = Field(default=5.0, gt=0, le=600)
    """Seconds without the object after which its event ends."""
    stationary_after: Seconds = Field(default=10.0, gt=0, le=3600)
    """Seconds without motion after which an object counts as stationary."""


class SnapshotsSection(Section):
    """Pictures of objects, on MQTT."""

    enabled: bool = True
    """Publish snapshots."""
    height: int = Field(default=480, ge=60, le=4320)
    """Height in pixels; the width follows from it."""
    quality: int = Field(default=80, ge=1, le=100)
    """Quality of the JPEG."""
    bounding_box: bool = True
    """Draw boxes and labels."""
    timestamp: bool = False
    """Draw the time."""


class CameraSection(CameraSettings):
    """One camera."""

    source: CameraUrl
    """rtsp(s)://, http(s)://, /dev/videoN, a file or folder, mqtt://, test://; it may contain a password."""
    fps: FrameLimit = DEFAULT_FPS
    """Maximum frames a second, or all. Snapshot addresses are requested as often; by default once a second."""
    enabled: bool = True
    """Read this camera. A value that is set by MQTT takes precedence."""
    edge: NodeName | None = None
    """The edge that reads the camera; without it the gateway chooses one."""
    friendly_name: str | None = Field(default=None, min_length=1)
    """Its name for people; by default its name in this file."""
    detect: DetectSection = DetectSection()
    """Detection of objects."""
    objects: ObjectsSection | None = None
    """Replaces the section objects for all cameras."""
    zones: Annotated[dict[ConfiguredName, ZoneSection], AfterValidator(require_distinct)] = Field(default_factory=dict)
    """Parts of its picture, by name."""
    snapshots: SnapshotsSection = SnapshotsSection()
    """Pictures of objects, on MQTT."""

    @property
    def settings(self) -> CameraSettings:
        """Return the settings for the camera's agent.

        `fps` is only set when the file has it, because each kind of source has its own default.
        """
        values = {name: getattr(self, name) for name in CameraSettings.model_fields}
        return CameraSettings.model_construct(**values | {"fps": self.fps if "fps" in self.model_fields_set else None})


UNCONFIGURED_CAMERA = CameraSection.model_construct(source=SecretStr(""), fps=None)
"""The section of a camera that is not in the file: people started its agent by hand, with a rate of its own."""
