"""The kinds of sources, by the schemes of their URLs: what a camera opens is what check-config accepts."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from importlib.metadata import EntryPoint, entry_points

ENTRY_POINT_GROUP = "deepthings.camera_sources"
"""Entry points of third parties: the scheme, and what makes a Source of CameraSettings."""

BUILT_IN_SOURCES = {
    "rtsp": "camera_sources.kinds.rtsp_camera:RtspCamera",
    "rtsps": "camera_sources.kinds.rtsp_camera:RtspCamera",
    "http": "camera_sources.kinds.web_camera:WebCamera",
    "https": "camera_sources.kinds.web_camera:WebCamera",
    "mqtt": "camera_sources.kinds.mqtt_camera:MqttCamera",
    "mqtts": "camera_sources.kinds.mqtt_camera:MqttCamera",
    "test": "camera_sources.kinds.pattern:Pattern",
}
"""Schemes and their classes, loaded when they are wanted; nobody else's take their place."""

SCHEMES_WITH_HOST = frozenset(BUILT_IN_SOURCES) - {"test"}
"""Those whose URL names a host."""

FILE_SCHEME = "file"
"""A path, as one without a scheme."""

DEVICE_PREFIX = "/dev/"

_SCHEME = re.compile(r"\s*([A-Za-z][A-Za-z0-9+.-]*)://")

MIN_SCHEME_SIMILARITY = 0.85
"""Of two schemes that differ by one letter; names of other protocols, such as rtmp, differ by more from ours."""


def scheme_of(url: str) -> str:
    """Return the scheme in lower case; empty for a path."""
    match = _SCHEME.match(url)
    return match[1].lower() if match else ""


def is_path(url: str) -> bool:
    """Return whether a source is a device, a file or a folder, of one machine alone."""
    return scheme_of(url) in {"", FILE_SCHEME}


def third_party_sources() -> dict[str, EntryPoint]:
    """Return what others have installed here, by scheme in lower case."""
    return {
        entry.name.lower(): entry
        for entry in entry_points(group=ENTRY_POINT_GROUP)
        if entry.name.lower() not in BUILT_IN_SOURCES
    }


def known_schemes() -> list[str]:
    """Return all schemes that this machine can open, sorted."""
    return sorted({*BUILT_IN_SOURCES, *third_party_sources(), FILE_SCHEME})


def intended_scheme(scheme: str) -> str | None:
    """Return the scheme of ours that is plainly meant by one that nobody knows."""
    alike = {ours: SequenceMatcher(None, ours, scheme).ratio() for ours in BUILT_IN_SOURCES}
    meant = max(alike, key=alike.__getitem__)
    swapped = sorted(meant) == sorted(scheme)
    return meant if swapped or alike[meant] >= MIN_SCHEME_SIMILARITY else None
