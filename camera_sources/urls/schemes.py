"""The schemes of camera URLs, for the camera agent and for check-config."""

from __future__ import annotations

import re
from importlib.metadata import EntryPoint, entry_points

ENTRY_POINT_GROUP = "deepthings.camera_sources"
"""Entry points of third parties: named by the scheme, called with CameraSettings, returning a Source."""

BUILT_IN_SOURCES = {
    "rtsp": "camera_sources.kinds.rtsp_camera:RtspCamera",
    "rtsps": "camera_sources.kinds.rtsp_camera:RtspCamera",
    "http": "camera_sources.kinds.web_camera:WebCamera",
    "https": "camera_sources.kinds.web_camera:WebCamera",
    "mqtt": "camera_sources.kinds.mqtt_camera:MqttCamera",
    "mqtts": "camera_sources.kinds.mqtt_camera:MqttCamera",
    "test": "camera_sources.kinds.pattern:Pattern",
}
"""Schemes and their classes, imported when needed. Entry points cannot replace them."""

SCHEMES_WITH_HOST = frozenset(BUILT_IN_SOURCES) - {"test"}
"""Schemes whose URLs need a host."""

FILE_SCHEME = "file"
"""The scheme of file://PATH, which means the same as PATH."""

DEVICE_PREFIX = "/dev/"

_SCHEME = re.compile(r"\s*([A-Za-z][A-Za-z0-9+.-]*)://")

MIN_SCHEME_SIMILARITY = 0.85
"""The least similarity of two schemes that differ by one letter; other protocols, such as rtmp, differ more."""


def scheme_of(url: str) -> str:
    """Return the scheme in lower case; empty for a path."""
    match = _SCHEME.match(url)
    return match[1].lower() if match else ""


def is_path(url: str) -> bool:
    """Return whether a source is a device, file or folder, which exists on one machine only."""
    return scheme_of(url) in {"", FILE_SCHEME}


def third_party_sources() -> dict[str, EntryPoint]:
    """Return the installed entry points by their schemes, in lower case."""
    return {
        entry.name.lower(): entry
        for entry in entry_points(group=ENTRY_POINT_GROUP)
        if entry.name.lower() not in BUILT_IN_SOURCES
    }


def known_schemes() -> list[str]:
    """Return all schemes that can be opened on this machine, sorted."""
    return sorted({*BUILT_IN_SOURCES, *third_party_sources(), FILE_SCHEME})


def intended_scheme(scheme: str) -> str | None:
    """Return the built-in scheme that an unknown, misspelt one probably means; None if there is none."""
    from difflib import SequenceMatcher  # noqa: PLC0415  (an agent never asks, and saves its memory)

    alike = {ours: SequenceMatcher(None, ours, scheme).ratio() for ours in BUILT_IN_SOURCES}
    closest = max(alike, key=alike.__getitem__)
    swapped = sorted(closest) == sorted(scheme)
    return closest if swapped or alike[closest] >= MIN_SCHEME_SIMILARITY else None
