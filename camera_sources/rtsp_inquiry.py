"""Why an RTSP camera gives no stream: OpenCV does not say, so the camera is asked (RFC 2326, DESCRIBE)."""

from __future__ import annotations

import re
import socket
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from camera_sources.authorization import Authorization
from camera_sources.web_client import trusting, why_not_reachable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from camera_sources.locator import Locator

INQUIRY_S = 2.0
"""In all; whoever does not answer a question within that is not reachable."""

PORTS = {"rtsp": 554, "rtsps": 322}

ANSWER_CAP_BYTES = 64 * 1024
"""A description of a stream is some lines."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, the challenges of a server that wants to know who asks, and the description."""

    status: int
    challenges: Sequence[str]
    body: str


def ask_why(locator: Locator) -> str:
    """The reason, in words, within INQUIRY_S."""
    authorization = Authorization(locator.user, locator.password)
    until = time.monotonic() + INQUIRY_S
    try:
        answer = _ask(locator, authorization, until)
        if answer is not None and answer.status == 401 and authorization.take(answer.challenges):
            answer = _ask(locator, authorization, until)
    except OSError as error:
        return why_not_reachable(error)
    return reason_for(answer, has_password=bool(locator.user or locator.password))


def reason_for(answer: Answer | None, *, has_password: bool) -> str:
    """What an answer means for somebody who wants the stream; None: it was no answer. Pure."""
    if answer is None:
        return "not reachable: it does not speak RTSP"
    if answer.status in {401, 403}:
        return "wrong password" if has_password else "it wants a user and a password"
    if answer.status == 404:
        return "no such path (404)"
    if answer.status != 200:
        return f"it answers {answer.status}"
    medium = re.search(r"^m=video .*$", answer.body, re.MULTILINE)
    if medium is None:
        return "codec not decodable: the stream has no video"
    codec = re.search(r"^a=rtpmap:\d+ ([\w.-]+)/", answer.body[medium.start() :], re.MULTILINE)
    return f"codec not decodable{f': {codec[1][:40]}' if codec else ''}"


def _ask(locator: Locator, authorization: Authorization, until: float) -> Answer | None:
    """DESCRIBE on a connection of its own. Raises OSError."""
    address = locator.host, locator.port or PORTS[locator.scheme]
    lines = [f"DESCRIBE {locator.plain} RTSP/1.0", "CSeq: 1", "Accept: application/sdp", "User-Agent: deepthings"]
    said = authorization.header("DESCRIBE", locator.plain)
    if said is not None:
        lines.append(f"Authorization: {said}")
    with socket.create_connection(address, _left_s(until)) as connection:
        connection.settimeout(_left_s(until))
        if locator.scheme != "rtsps":
            return _converse(connection, lines, until)
        with trusting().wrap_socket(connection, server_hostname=locator.host) as hidden:
            return _converse(hidden, lines, until)


def _converse(connection: socket.socket, lines: Sequence[str], until: float) -> Answer | None:
    connection.sendall("\r\n".join([*lines, "", ""]).encode())
    received = b""
    while len(received) < ANSWER_CAP_BYTES and not is_whole(received):
        connection.settimeout(_left_s(until))
        data = connection.recv(4096)
        if not data:
            break
        received += data
    return parse(received)


def is_whole(received: bytes) -> bool:
    """Whether an answer and its description have come. Pure."""
    head, end, body = received.partition(b"\r\n\r\n")
    length = re.search(rb"^content-length:\s*(\d+)", head, re.IGNORECASE | re.MULTILINE)
    return bool(end) and len(body) >= (int(length[1]) if length else 0)


def parse(received: bytes) -> Answer | None:
    """None for what is no answer. Pure."""
    head, _, body = received.decode("utf-8", "replace").partition("\r\n\r\n")
    status = re.match(r"RTSP/\d\.\d (\d{3})", head)
    if status is None:
        return None
    challenges = re.findall(r"^www-authenticate:\s*(.+?)\r?$", head, re.IGNORECASE | re.MULTILINE)
    return Answer(int(status[1]), challenges, body)


def _left_s(until: float) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
