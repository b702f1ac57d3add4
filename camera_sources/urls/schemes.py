"""The kinds of sources, by the schemes of their URLs: what a camera opens is what check-config accepts."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from importlib.metadata import EntryPoint, entry_points

GROUP = "deepthings.camera_sources"
"""Entry points of third parties: the scheme, and what makes a Source of CameraSettings."""

OURS = {
    "rtsp": "camera_sources.kinds.rtsp_camera:RtspCamera",
    "rtsps": "camera_sources.kinds.rtsp_camera:RtspCamera",
    "http": "camera_sources.kinds.web_camera:WebCamera",
    "https": "camera_sources.kinds.web_camera:WebCamera",
    "mqtt": "camera_sources.kinds.mqtt_camera:MqttCamera",
    "mqtts": "camera_sources.kinds.mqtt_camera:MqttCamera",
    "test": "camera_sources.kinds.pattern:Pattern",
}
"""Schemes and their classes, loaded when they are wanted; nobody else's take their place."""

WITH_HOST = frozenset(OURS) - {"test"}
"""Those whose URL names a host."""

FILE = "file"
"""A path, as one without a scheme."""

DEVICES = "/dev/"

_SCHEME = re.compile(r"\s*([A-Za-z][A-Za-z0-9+.-]*)://")

ALIKE = 0.85
"""Of two schemes that differ by one letter; names of other protocols, such as rtmp, differ by more from ours."""


def scheme_of(url: str) -> str:
    """Return the scheme in lower case; empty for a path."""
    match = _SCHEME.match(url)
    return match[1].lower() if match else ""


def is_path(url: str) -> bool:
    """Return whether a source is a device, a file or a folder, of one machine alone."""
    return scheme_of(url) in {"", FILE}


def third_parties() -> dict[str, EntryPoint]:
    """Return what others have installed here, by scheme in lower case."""
    return {entry.name.lower(): entry for entry in entry_points(group=GROUP) if entry.name.lower() not in OURS}


def known_here() -> list[str]:
    """Return all schemes that this machine can open, sorted."""
    return sorted({*OURS, *third_parties(), FILE})


def misspelt(scheme: str) -> str | None:
    """Return the scheme of ours that is plainly meant by one that nobody knows."""
    alike = {ours: SequenceMatcher(None, ours, scheme).ratio() for ours in OURS}
    meant = max(alike, key=alike.__getitem__)
    swapped = sorted(meant) == sorted(scheme)
    return meant if swapped or alike[meant] >= ALIKE else None
