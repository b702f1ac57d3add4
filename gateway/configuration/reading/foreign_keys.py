"""Keys of Frigate's configuration that are others here, or not needed: what to write instead. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.configuration.reading.mistakes import KeyPath

ANY_NAME = "*"
"""A name of a camera, a zone or a label in a path."""

_STREAM = "write the address of the stream that is to be looked at as source: of the camera"
_NOT_HERE = "remove it: DeepThings does not record or play streams"

FRIGATE_HINTS: dict[tuple[str, ...], str] = {
    ("mqtt", "user"): "write username:",
    ("mqtt", "enabled"): "remove it: MQTT is always used",
    ("mqtt", "tls_ca_certs"): "write ca: below tls:",
    ("mqtt", "tls_client_cert"): "write certificate: below tls:",
    ("mqtt", "tls_client_key"): "write key: below tls:",
    ("mqtt", "tls_insecure"): "write insecure: below tls:",
    ("mqtt", "stats_interval"): "remove it: statistics are published when they change",
    ("detectors",): "remove it: edges compute, and are found by themselves",
    ("detect",): "write detect: below each camera",
    ("ffmpeg",): _STREAM,
    ("go2rtc",): "remove it, and write the addresses of the cameras, or of go2rtc's streams, as source: of the cameras",
    ("record",): _NOT_HERE,
    ("birdseye",): _NOT_HERE,
    ("live",): _NOT_HERE,
    ("snapshots",): "write snapshots: below each camera",
    ("motion",): "write motion: below each camera",
    ("database",): "remove it: what outlives a restart is kept in the folder of state:",
    ("version",): "remove it",
    ("model", "width"): "remove it: the model's file says it",
    ("model", "height"): "remove it: the model's file says it",
    ("model", "labelmap_path"): "remove it: labels are in the model's file, or in a description beside it",
    ("cameras", ANY_NAME, "ffmpeg"): "write source: with the address of the stream that is to be looked at",
    ("cameras", ANY_NAME, "record"): _NOT_HERE,
    ("cameras", ANY_NAME, "live"): _NOT_HERE,
    ("cameras", ANY_NAME, "onvif"): "remove it: cameras are not moved",
    ("cameras", ANY_NAME, "audio"): "remove it: sound is not listened to",
    ("cameras", ANY_NAME, "review"): "remove it: every object is an event",
    ("cameras", ANY_NAME, "detect", "width"): "remove it: pictures are scaled as the model wants them",
    ("cameras", ANY_NAME, "detect", "height"): "remove it: pictures are scaled as the model wants them",
    ("cameras", ANY_NAME, "detect", "fps"): "write fps: of the camera, beside source:",
    ("cameras", ANY_NAME, "snapshots", "retain"): "remove it: the newest picture is retained at the broker",
    ("cameras", ANY_NAME, "snapshots", "crop"): "remove it: close-ups have topics of their own",
    ("cameras", ANY_NAME, "objects", "filters", ANY_NAME, "min_frames"): "remove it: three detections are needed",
}
"""By path; of the keys of others only the commonest."""


def hint_for(path: KeyPath) -> str:
    """Return what to write in the place of an unknown key; empty when it is none of Frigate's."""
    return next((hint for known, hint in FRIGATE_HINTS.items() if _matches(path, known)), "")


def _matches(path: KeyPath, known: tuple[str, ...]) -> bool:
    return len(path) == len(known) and all(wanted in {ANY_NAME, part} for part, wanted in zip(path, known, strict=True))
