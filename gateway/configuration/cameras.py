"""Cameras in the configuration file."""

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
    """Whether and how objects are looked for. What is set by MQTT goes before it, and is kept over restarts."""

    enabled: bool = True
    """Whether this camera's frames are computed."""
    max_disappeared: Seconds = Field(default=5.0, gt=0, le=600)
    """Seconds that an object may be out of sight before its event ends."""
    stationary_after: Seconds = Field(default=10.0, gt=0, le=3600)
    """Seconds without motion after which an object counts as stationary."""


class SnapshotsSection(Section):
    """Pictures of what was seen, on MQTT."""

    enabled: bool = True
    """Whether there are any."""
    height: int = Field(default=480, ge=60, le=4320)
    """Pixels; the width follows."""
    quality: int = Field(default=80, ge=1, le=100)
    """Of the JPEG."""
    bounding_box: bool = True
    """Whether boxes and labels are drawn."""
    timestamp: bool = False
    """Whether the time is drawn."""


class CameraSection(CameraSettings):
    """One camera, by its name."""

    source: CameraUrl
    """rtsp(s)://, http(s)://, /dev/videoN, a file or folder, mqtt://, test://; a password may be in it."""
    fps: FrameLimit = DEFAULT_FPS
    """Frames a second at the most, or all. Snapshots are asked for so often, once a second if it is not written."""
    enabled: bool = True
    """Whether it is read at all. What is set by MQTT goes before it."""
    edge: NodeName | None = None
    """The edge that it feeds; without it the gateway chooses one."""
    friendly_name: str | None = Field(default=None, min_length=1)
    """What people call it; else its name."""
    detect: DetectSection = DetectSection()
    """Whether and how objects are looked for."""
    objects: ObjectsSection | None = None
    """In the place of those for all cameras."""
    zones: Annotated[dict[ConfiguredName, ZoneSection], AfterValidator(require_distinct)] = Field(default_factory=dict)
    """Parts of its picture, by name."""
    snapshots: SnapshotsSection = SnapshotsSection()
    """Pictures of what was seen."""

    @property
    def settings(self) -> CameraSettings:
        """What the camera's agent needs of it; a rate only where one is written, since each kind has its own."""
        said = {name: getattr(self, name) for name in CameraSettings.model_fields}
        return CameraSettings.model_construct(**said | {"fps": self.fps if "fps" in self.model_fields_set else None})


UNCONFIGURED_CAMERA = CameraSection.model_construct(source=SecretStr(""), fps=None)
"""What holds for a camera that nobody has configured: somebody started its agent, and gave it a rate."""
