"""Cures of problems, found by patterns in their text. Pure."""

from __future__ import annotations

import re

TRY_CAMERA = "test it on the device of its edge: deepthings camera shot NAME"

CURES: tuple[tuple[str, str], ...] = (
    # the whole cluster
    (
        r"^no edge is connected",
        "start deepthings edge on each device that should compute; another device joins first: deepthings invite NAME",
    ),
    (
        r"^no edge may compute",
        "all have computed wrong values, or nothing: check the problem of each edge, and its log",
    ),
    (
        r"computed tile .* wrongly",
        "check its power supply, its temperature and its log; if all is in order, somebody may have changed what it "
        "runs: install it anew, or remove it with deepthings revoke",
    ),
    (r"gets no work until|did not compute a tile", "check its power supply, its temperature and its log"),
    (r"^edge \S+ is offline", "switch its device on and check its network; is deepthings edge still running there?"),
    (r"^edge \S+ has release", "install the same release on both"),
    (r"cannot be written[^;]*the disk is full", "free space on that disk: df -h shows how full it is"),
    (
        r"^state folder \S+ cannot be written",
        "the gateway's user must be able to write there; set another folder at state: in the configuration",
    ),
    (
        r"MiB more than this device has for plans",
        "end other programs there, or raise its --max-memory; method auto needs less where it divides frames",
    ),
    (r"does not follow the plan", "check its log; install the same release of deepthings on all devices"),
    (r"cannot be read$", "install the gateway's release of deepthings here, too"),
    (r"^the gateway has not published", "is it still running? if so, set the clocks of both devices"),
    # cameras: their edges
    (r"edge \S+ not found; known edges", "start that edge, or set another one at edge: in the configuration"),
    (r"its edge \S+ is gone", "switch that device on; without it, another edge takes the camera unless edge: names it"),
    (r"no edge (has reported|reports) it", "an edge must be online to read it; check that edge's log"),
    (r"its agent (is not connected|was stopped)", "its edge restarts it; check that edge's log"),
    (r"none is processed", "an edge must be online and follow the plan"),
    (r"were lost recently", "deepthings/cameras/NAME/stats counts them by reason, docs/topics.md explains these"),
    # cameras: their own errors
    (r"wrong password", "correct user and password in its source:, then reload the configuration"),
    (r"(requires|wants) a user and a password", "write them into its source: rtsp://user:password@host/..."),
    (r"no such path", "correct the path behind the host in its source:"),
    (r"(no permission to|may not) see it", "permit this user to view the stream, in the camera itself"),
    (r"codec not decodable", "set the camera to H.264, or use its sub-stream"),
    (r"same picture for more than", "restart the camera itself"),
    (r"its source has ended|: ended$", "write loop: on to repeat a file"),
    (r"not reachable|no picture for|the stream ended", "check its power and network; is its address still right?"),
    (r"is outside its pictures", "write its corners again, with the grid of: deepthings camera shot NAME"),
)
"""Patterns of problems and their cures; the first match counts."""

CURE_INCLUDED = re.compile(r"(: |; )(start|restart|set|stop|install|look|check|give|make|use|write|update)\b")
"""The pattern of problems that end with their cure."""


def find_cure(problem: str) -> str:
    """Return the cure of a problem, on one line; empty if the problem's text includes it, or if it is not known."""
    camera = re.match(r"(?:frames of )?camera (\S+?):? ", problem)
    for pattern, cure in CURES:
        if re.search(pattern, problem):
            return _with_name(cure, camera)
    if CURE_INCLUDED.search(problem):
        return ""
    return _with_name(TRY_CAMERA, camera) if camera else ""


def _with_name(text: str, camera: re.Match[str] | None) -> str:
    """Return a cure with the camera's name instead of NAME."""
    return text.replace("NAME", camera[1]) if camera else text
