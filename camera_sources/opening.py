"""Finding the source that a URL means: ours, and those that third parties add by entry points."""

from __future__ import annotations

import importlib
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, cast
from urllib.parse import unquote, urlparse

from pydantic import SecretStr

from camera_sources.picture_folder import PictureFolder
from camera_sources.redaction import redacted
from camera_sources.settings import CameraSettings
from camera_sources.video_file import VideoFile
from shared.errors import ConfigurationError, SourceError

if TYPE_CHECKING:
    from collections.abc import Callable

    from camera_sources.source import Source

    Factory = Callable[[CameraSettings], Source]

GROUP = "deepthings.camera_sources"
"""Entry points: the scheme, and what makes a Source of CameraSettings."""

OURS = {
    "rtsp": "camera_sources.rtsp_camera:RtspCamera",
    "rtsps": "camera_sources.rtsp_camera:RtspCamera",
    "http": "camera_sources.web_camera:WebCamera",
    "https": "camera_sources.web_camera:WebCamera",
    "mqtt": "camera_sources.mqtt_camera:MqttCamera",
    "mqtts": "camera_sources.mqtt_camera:MqttCamera",
    "test": "camera_sources.pattern:Pattern",
}
"""Schemes and their classes, loaded when they are wanted; nobody else's take their place."""

DEVICES = "/dev/"


def open_source(source: str | CameraSettings) -> Source:
    """The source for a URL, a device, a video file or a folder of pictures. A live one is not connected yet.

    Raises SourceError when a recording is not there or cannot be read, ConfigurationError for what no source can be.
    """
    settings = source if isinstance(source, CameraSettings) else CameraSettings(source=SecretStr(source))
    url = settings.source.get_secret_value()
    scheme, separator, _ = url.partition("://")
    if separator and scheme.lower() != "file":
        return _factory(scheme.lower())(settings)
    if url.startswith(DEVICES):
        return _load("camera_sources.usb_camera:UsbCamera")(settings)
    path = Path(unquote(urlparse(url).path)) if separator else Path(url)
    if not path.exists():
        raise SourceError(
            f"camera source {redacted(str(path))} does not exist; name a video file or a folder of pictures"
        )
    return PictureFolder(path) if path.is_dir() else VideoFile(path)


def _factory(scheme: str) -> Factory:
    if scheme in OURS:
        return _load(OURS[scheme])
    others = {entry.name.lower(): entry for entry in entry_points(group=GROUP)}
    if scheme not in others:
        known = ", ".join(f"{name}://" for name in sorted({*OURS, *others, "file"}))
        raise ConfigurationError(
            f"camera source {scheme[:40]}://... is not supported; write {known}, /dev/videoN, or the path of a "
            "video file or a folder of pictures"
        )
    try:
        return cast("Factory", others[scheme].load())
    except Exception as error:
        raise ConfigurationError(
            f"camera source {scheme}://... cannot be loaded from {others[scheme].value}: {error}; install it again"
        ) from error


def _load(place: str) -> Factory:
    module, _, name = place.partition(":")
    return cast("Factory", getattr(importlib.import_module(module), name))
