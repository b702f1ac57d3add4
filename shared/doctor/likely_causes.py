"""Likely causes of the problems that the gateway publishes, found by patterns in their text. Pure.

shared.status.cures finds cures in the same way.
"""

from __future__ import annotations

import re

from shared.payloads.frames import Outcome

CHECK_LOG = "look into the gateway's log: journalctl -u deepthings-gateway"

UNKNOWN_CAUSE = "not known here; the log of the device that is named may say it"

CAUSES: tuple[tuple[str, str], ...] = (
    # edges
    (r"^no edge is connected", "no device runs deepthings edge, or none of them reaches the gateway's broker"),
    (r"^edge \S+ is offline", "its device is off or out of the network, or deepthings edge has ended there"),
    (r"^edge \S+ is refused", "it has a release that this gateway does not understand"),
    (r"^edge \S+ has release", "only one of the two devices was updated"),
    (r"^edge \S+ has no keys", "it was started with --insecure, or has not joined"),
    (r"^two edges are called|^another gateway", "two devices were set up with the same name, as from a copied card"),
    (r"cannot be written[^;]*the disk is full", "other files have filled the card"),
    (r"program cache .*cannot be written", "the folder belongs to another user"),
    (r"does not follow the plan", "it could not fetch or open its program: too little memory, or another release"),
    (r"gets no work until|did not compute a tile|no edge may", "it has too little memory or a weak power supply"),
    (r"cannot reach", "a firewall is closed, or the one that is not reached listens on its own machine only"),
    (r"listens on \S+ only", "it was started without --listen 0.0.0.0"),
    (r"no members of the cluster were refused", "they have not joined, were revoked, or have keys of another cluster"),
    (r"^\S+ was refused: ", "a device there has no keys of this cluster, was revoked, or ended its connection"),
    (r"programs without a right login", "they have no login at the gateway's broker, or a wrong password"),
    # cameras
    (r"wrong password", "the camera has another user or password than its source: has"),
    (r"(requires|wants) a user and a password", "its source: has no user and password"),
    (r"no such path", "the path of the stream is that of another maker, or misspelt"),
    (r"(no permission to|may not) see it", "its user may log in, but not view this stream"),
    (r"codec not decodable", "the camera sends H.265 or another codec that is not decoded here"),
    (r"not reachable|no picture for|the stream ended", "it is off, has another address now, or its Wi-Fi is too weak"),
    (r"same picture for more than", "the camera itself hangs"),
    (r"its source has ended|: ended$", "its source: is a file, which was read to its end"),
    (r"edge \S+ (is gone|not found)", "the device that reads this camera is off, or has another name"),
    (r"no edge (has reported|reports) it", "no edge is online to read it, or its agent does not start"),
    (r"none is processed", "its pictures come, but no edge that follows the plan takes them"),
    (r"were lost recently", "the devices are overloaded, or one was lost with frames"),
    # the home's broker
    (r"bad user name or password", "the broker has another user or password than mqtt: in the configuration"),
    (r"not authori[sz]ed|refuses", "the access rules (ACL) of that broker do not allow the gateway's topics"),
    (r"^broker ", "that broker is off, or its address, port or encryption in mqtt: is another"),
)  # fmt: skip
"""Patterns of problems and their causes; the first match counts."""

SLOW_DEVICES = "the devices compute fewer frames than the camera gives them"
FEWER_FRAMES = "set fewer frames at fps: of the camera, take its sub-stream, or add an edge: deepthings invite NAME"

DROP_CAUSES: dict[Outcome, tuple[str, str]] = {
    Outcome.SUPERSEDED: (SLOW_DEVICES, FEWER_FRAMES),
    Outcome.OVERLOAD: (SLOW_DEVICES, FEWER_FRAMES),
    Outcome.DEADLINE: (
        "a device or a link is too slow for a frame, or a device was lost",
        "deepthings trace, which shows where the time of a frame goes",
    ),
    Outcome.NO_EDGE: (
        "the camera's edge is away, or refuses its agent",
        "restart it on its device: sudo systemctl restart deepthings-edge",
    ),
    Outcome.NO_PLAN: (
        "its edge has no plan from the gateway", "check the log of that edge: journalctl -u deepthings-edge",
    ),
    Outcome.NO_ANSWER: (
        "the gateway ended, or the network between it and the edge is broken", CHECK_LOG,
    ),
    Outcome.OWNER_LOST: (
        "its edge was lost with the frame: power, network, or too little memory",
        "look there: journalctl -u deepthings-edge, and vcgencmd get_throttled on a Raspberry Pi",
    ),
    Outcome.AGENT_LOST: (
        "the process that reads the camera died, often of too little memory",
        "look at its edge: journalctl -u deepthings-edge; take the camera's sub-stream, which needs less",
    ),
    Outcome.REPLANNED: ("the plan changed while the frame waited", "nothing, unless it goes on: deepthings status"),
    Outcome.FAILED: ("no edge could compute a tile of it, or the gateway could not finish it", CHECK_LOG),
    Outcome.STOPPED: ("a part of the cluster was stopped", "nothing, unless it goes on: deepthings status"),
}  # fmt: skip
"""By reason of dropped frames: the likely cause and the cure."""


def find_cause(problem: str) -> str:
    """Return the likely cause of a problem, on one line."""
    return next((cause for pattern, cause in CAUSES if re.search(pattern, problem)), UNKNOWN_CAUSE)
