"""Hints for keys of Frigate's configuration that have another name here, or are not needed. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.configuration.reading.mistakes import KeyPath

ANY_NAME = "*"
"""Stands for any name of a camera, a zone or a label in a path."""

_STREAM = "write the address of the stream for detection as source: of the camera"
_NOT_HERE = "remove it: DeepThings does not record or play streams"

FRIGATE_HINTS: dict[tuple[str, ...], str] = {
    ("mqtt", "user"): "write username:",
    ("mqtt", "enabled"): "remove it: MQTT is always used",
    ("mqtt", "tls_ca_certs"): "write ca: below tls:",
    ("mqtt", "tls_client_cert"): "write certificate: below tls:",
    ("mqtt", "tls_client_key"): "write key: below tls:",
    ("mqtt", "tls_insecure"): "write insecure: below tls:",
    ("mqtt", "stats_interval"): "remove it: statistics are published when they change",
    ("detectors",): "remove it: edges compute, and are found automatically",
    ("detect",): "write detect: below each camera",
    ("ffmpeg",): _STREAM,
    ("go2rtc",): "remove it, and write the addresses of the cameras, or of go2rtc's streams, as source: of the cameras",
    ("record",): _NOT_HERE,
    ("birdseye",): _NOT_HERE,
    ("live",): _NOT_HERE,
    ("snapshots",): "write snapshots: below each camera",
    ("motion",): "write motion: below each camera",
    ("database",): "remove it: the folder of state: has all that is kept over restarts",
    ("version",): "remove it",
    ("model", "width"): "remove it: the model's file has it",
    ("model", "height"): "remove it: the model's file has it",
    ("model", "labelmap_path"): "remove it: labels are in the model's file, or in a description beside it",
    ("cameras", ANY_NAME, "ffmpeg"): "write source: with the address of the stream for detection",
    ("cameras", ANY_NAME, "record"): _NOT_HERE,
    ("cameras", ANY_NAME, "live"): _NOT_HERE,
    ("cameras", ANY_NAME, "onvif"): "remove it: cameras are not moved",
    ("cameras", ANY_NAME, "audio"): "remove it: sound is not used",
    ("cameras", ANY_NAME, "review"): "remove it: every object is an event",
    ("cameras", ANY_NAME, "detect", "width"): "remove it: pictures are scaled for the model",
    ("cameras", ANY_NAME, "detect", "height"): "remove it: pictures are scaled for the model",
    ("cameras", ANY_NAME, "detect", "fps"): "write fps: of the camera, beside source:",
    ("cameras", ANY_NAME, "snapshots", "retain"): "remove it: the newest picture is retained at the broker",
    ("cameras", ANY_NAME, "snapshots", "crop"): "remove it: close-ups have topics of their own",
    ("cameras", ANY_NAME, "objects", "filters", ANY_NAME, "min_frames"): "remove it: three detections are needed",
}
"""Hints by path, for the most common keys."""


def hint_for(path: KeyPath) -> str:
    """Return what to write instead of an unknown key; "" when it is not one of Frigate's."""
    return next((hint for known, hint in FRIGATE_HINTS.items() if _matches(path, known)), "")


def _matches(path: KeyPath, known: tuple[str, ...]) -> bool:
    return len(path) == len(known) and all(wanted in {ANY_NAME, part} for part, wanted in zip(path, known, strict=True))
