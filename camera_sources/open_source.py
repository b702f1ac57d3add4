"""Opens the source that a URL or a path names: a built-in one, or one that a third party adds by an entry point."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, cast
from urllib.parse import unquote, urlparse

from pydantic import SecretStr

from camera_sources.camera_settings import CameraSettings
from camera_sources.kinds.picture_folder import PictureFolder
from camera_sources.kinds.video_file import VideoFile
from camera_sources.urls.redaction import redacted
from camera_sources.urls.schemes import (
    BUILT_IN_SOURCES,
    DEVICE_PREFIX,
    is_path,
    known_schemes,
    scheme_of,
    third_party_sources,
)
from shared.errors import ConfigurationError, SourceError

if TYPE_CHECKING:
    from collections.abc import Callable

    from camera_sources.source import Source

    Factory = Callable[[CameraSettings], Source]


def open_source(source: str | CameraSettings) -> Source:
    """Return the source of a URL, device, video file or folder of pictures. A live one is not connected yet.

    Raises SourceError when a recording does not exist or cannot be read, ConfigurationError for an invalid source.
    """
    settings = source if isinstance(source, CameraSettings) else CameraSettings(source=SecretStr(source))
    url = settings.source.get_secret_value().strip()
    if not url:
        raise ConfigurationError(
            "the camera's source is empty; write for example rtsp://user:password@host/stream, or /dev/video0"
        )
    path = source_path(url)
    if path is None:
        return _factory(scheme_of(url))(settings)
    if url.startswith(DEVICE_PREFIX):
        return _load("camera_sources.kinds.usb_camera:UsbCamera")(settings)
    if not path.exists():
        raise SourceError(
            f"camera source {redacted(str(path))} does not exist; name a video file or a folder of pictures"
        )
    return PictureFolder(path) if path.is_dir() else VideoFile(path)


def source_path(source: str) -> Path | None:
    """Return the path of a source that is a device, file or folder; None for a URL of the network."""
    url = source.strip()
    if not is_path(url):
        return None
    return Path(unquote(urlparse(url).path)) if scheme_of(url) else Path(url)


def missing_source_path(source: str) -> Path | None:
    """Return the path of a device, file or folder that does not exist on this machine; None otherwise."""
    path = source_path(source)
    return path if path is not None and not path.exists() else None


def _factory(scheme: str) -> Factory:
    if scheme in BUILT_IN_SOURCES:
        return _load(BUILT_IN_SOURCES[scheme])
    others = third_party_sources()
    if scheme not in others:
        known = ", ".join(f"{name}://" for name in known_schemes())
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


def _load(reference: str) -> Factory:
    module, _, name = reference.partition(":")
    return cast("Factory", getattr(importlib.import_module(module), name))
