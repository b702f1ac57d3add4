"""What to do about a problem, by the words that tell of it. Pure."""

from __future__ import annotations

import re

LOOK = "try it on the device of its edge: deepthings camera shot NAME"

CURES: tuple[tuple[str, str], ...] = (
    # the whole cluster
    (r"^no edge is connected", "start one on each device that shall compute: deepthings edge --gateway HOST"),
    (
        r"^no edge may compute",
        "all have computed wrongly, or not at all: look at what is said of each, and at its log",
    ),
    (r"gets no work until|did not compute a tile", "look at its power supply, its temperature and its log"),
    (r"^edge \S+ is offline", "switch its device on and see to its network; is deepthings edge still running there?"),
    (r"^edge \S+ has release", "install the same release on both"),
    (r"cannot be written[^;]*the disk is full", "make room on that disk: df -h shows how full it is"),
    (
        r"^state folder \S+ cannot be written",
        "whoever runs the gateway must be able to write there; another folder: state: in the configuration",
    ),
    (r"does not follow the plan", "look at its log; install the same release of deepthings on all devices"),
    (r"cannot be read$", "install the gateway's release of deepthings here, too"),
    (r"^the gateway was heard of", "is it still running? if so, set the clocks of both devices"),
    # cameras: where they are
    (r"there is no edge \S+; there are", "start that edge, or name another one at edge: in the configuration"),
    (r"its edge \S+ is gone", "switch that device on; without it, another edge takes the camera unless edge: names it"),
    (r"nothing (was|is) heard of it", "an edge must be online to read it; look at that edge's log"),
    (r"its agent (is not connected|was stopped)", "its edge starts it again by itself; look at that edge's log"),
    (r"none is processed", "an edge must be online and follow the plan"),
    (r"were lost recently", "deepthings/cameras/NAME/stats counts them by reason, docs/topics.md explains these"),
    # cameras: what they say
    (r"wrong password", "correct user and password in its source:, then have the configuration read again"),
    (r"wants a user and a password", "write them into its source: rtsp://user:password@host/..."),
    (r"no such path", "correct the path behind the host in its source:"),
    (r"may not see it", "give this user the right to see the stream, in the camera itself"),
    (r"codec not decodable", "set the camera to H.264, or use its sub-stream"),
    (r"same picture for more than", "start the camera itself again"),
    (r"its source has ended|: ended$", "write loop: on to have a file begin again"),
    (r"not reachable|no picture for|the stream ended", "see to its power and network; is its address still right?"),
    (r"is outside its pictures", "write its corners again, with the grid of: deepthings camera shot NAME"),
)
"""Patterns and what helps; the first that fits."""

SAID_ALREADY = re.compile(r"(: |; )(start|restart|set|stop|install|look|check|give|make|use|write|update)\b")
"""Problems that end with their cure."""


def cure(problem: str) -> str:
    """Return what to do, on one line; empty where the problem says so itself, or nobody knows."""
    camera = re.match(r"(?:frames of )?camera (\S+?):? ", problem)
    for pattern, found in CURES:
        if re.search(pattern, problem):
            return _for(found, camera)
    if SAID_ALREADY.search(problem):
        return ""
    return _for(LOOK, camera) if camera else ""


def _for(words: str, camera: re.Match[str] | None) -> str:
    return words.replace("NAME", camera[1]) if camera else words
