"""Sends RTSP requests (RFC 2326) to a camera, because FFmpeg inside OpenCV does not report why it gets no stream."""

from __future__ import annotations

import contextlib
import socket
import time
from typing import TYPE_CHECKING, Literal, Self

from camera_sources.http.authorization import Authorization
from camera_sources.http.web_client import unreachable_reason, unverified_tls_context
from camera_sources.rtsp.rtsp_answer import (
    RtspAnswer,
    codec_failure_reason,
    control_urls,
    failure_reason,
    is_complete_answer,
    parse_answer,
    without_media,
)
from camera_sources.source import WrongPasswordError
from shared.errors import SourceError

if TYPE_CHECKING:
    from types import TracebackType

    from camera_sources.urls.locator import Locator

INQUIRY_TIMEOUT_S = 2.0
"""Timeout of all requests that find the reason, for a camera that has answered before."""

RETRY_BUSY_S = 0.5
"""Pause after an answer 503: the camera may still be closing FFmpeg's connection."""

RTSP_PORTS = {"rtsp": 554, "rtsps": 322}

MAX_ANSWER_BYTES = 64 * 1024
"""The largest size of an answer; a stream description has only some lines."""

Transport = Literal["auto", "tcp", "udp"]

_SETUP_TRANSPORTS = {
    "tcp": "RTP/AVP/TCP;unicast;interleaved=0-1",
    "udp": "RTP/AVP;unicast;client_port=5000-5001",
}
"""Transports for SETUP. Nothing is received at these ports: no media is played."""


def check_login(locator: Locator, within_s: float) -> RtspInquiry | None:
    """Try the login once, because FFmpeg would try a wrong password several times. Return None if there is no login.

    Keep the returned connection open until FFmpeg's connection is open: some cameras answer 503 just after another
    client has disconnected. Raises WrongPasswordError, or SourceError when the camera cannot be reached. All other
    answers are ignored here; FFmpeg will get them, too.
    """
    if not (locator.user or locator.password):
        return None
    try:
        inquiry = RtspInquiry(locator, within_s)
    except OSError as error:
        raise SourceError(unreachable_reason(error)) from None
    try:
        answer = inquiry.describe()
    except OSError as error:
        inquiry.close()
        raise SourceError(unreachable_reason(error)) from None
    if answer is not None and answer.status == 401:
        inquiry.close()
        if not inquiry.sent_password:
            raise SourceError("it requires a login method other than Basic and Digest")
        raise WrongPasswordError
    return inquiry


def no_stream_reason(locator: Locator, transport: Transport, inquiry: RtspInquiry | None) -> str:
    """Return the reason why a camera sends no stream: the first of its answers that is not 200.

    This takes at most twice INQUIRY_TIMEOUT_S. `inquiry` is an open connection to try first.
    """
    try:
        if inquiry is not None:
            with contextlib.suppress(OSError):  # it has been idle for seconds: try a new one
                inquiry.set_timeout(INQUIRY_TIMEOUT_S)
                return _find_reason(inquiry, transport)
        with RtspInquiry(locator, INQUIRY_TIMEOUT_S) as another:
            return _find_reason(another, transport)
    except OSError as error:
        return unreachable_reason(error)


def _find_reason(inquiry: RtspInquiry, transport: Transport) -> str:
    answer = inquiry.describe()
    if answer is not None and answer.status == 503:
        time.sleep(RETRY_BUSY_S)
        answer = inquiry.describe()
    if answer is None or answer.status != 200:
        wants_password = answer is not None and answer.status == 401 and not inquiry.has_password
        return "it requires a user and a password" if wants_password else failure_reason("DESCRIBE", answer)
    if inquiry.unknown_digest:
        return (
            "it accepts only digest logins with SHA-256, which FFmpeg does not support; allow MD5 or basic logins in "
            "the camera's settings"
        )
    return _find_play_reason(inquiry, answer, transport)


def _find_play_reason(inquiry: RtspInquiry, answer: RtspAnswer, transport: Transport) -> str:
    """Send SETUP and PLAY for the video that `answer` describes; return the reason for the first failure."""
    video_url, stream_url = control_urls(answer, inquiry.url)
    if video_url is None:
        return "codec not decodable: the stream has no video"
    setup = None
    for kind in ("tcp", "udp") if transport == "auto" else (transport,):
        setup = inquiry.request("SETUP", video_url, f"Transport: {_SETUP_TRANSPORTS[kind]}")
        if setup is None or setup.status != 461:
            break
    if setup is None or setup.status != 200:
        return failure_reason("SETUP", setup, transport)
    session = setup.header("session").partition(";")[0]
    play = inquiry.request("PLAY", stream_url, f"Session: {session}", "Range: npt=0.000-")
    if play is None or play.status != 200:
        return failure_reason("PLAY", play)
    inquiry.send_request("TEARDOWN", stream_url, f"Session: {session}")
    return codec_failure_reason(answer)


class RtspInquiry:
    """One connection to a camera, for requests one after the other within a total time."""

    def __init__(self, locator: Locator, within_s: float) -> None:
        """Connect. Raises OSError."""
        self.url = locator.plain
        self.has_password = bool(locator.user or locator.password)
        self.sent_password = False
        self.unknown_digest = False
        """True if the login used a hash that FFmpeg does not support."""
        self._authorization = Authorization(locator.user, locator.password)
        self._deadline = time.monotonic() + within_s
        self._received = b""
        self._count = 0
        address = locator.host, locator.port or RTSP_PORTS[locator.scheme]
        self._connection: socket.socket = socket.create_connection(address, self._left_s())
        if locator.scheme == "rtsps":
            self._connection.settimeout(self._left_s())
            try:
                self._connection = unverified_tls_context().wrap_socket(self._connection, server_hostname=locator.host)
            except OSError:
                self._connection.close()
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Disconnect."""
        self._connection.close()

    def set_timeout(self, within_s: float) -> None:
        """Limit the total time of all following requests."""
        self._deadline = time.monotonic() + within_s

    def describe(self) -> RtspAnswer | None:
        """Return the answer to DESCRIBE, which is sent again with the login if the camera requires it."""
        answer = self.request("DESCRIBE", self.url, "Accept: application/sdp")
        if answer is None or answer.status != 401 or not self._authorization.accept_challenge(answer.challenges):
            return answer
        self.sent_password = True
        self.unknown_digest = self._authorization.algorithm not in {"BASIC", "MD5"}
        return self.request("DESCRIBE", self.url, "Accept: application/sdp")

    def request(self, method: str, url: str, *headers: str) -> RtspAnswer | None:
        """Send a request and return the answer; None: it is not RTSP. Raises OSError, also after the time limit."""
        self.send_request(method, url, *headers)
        while len(self._received) < MAX_ANSWER_BYTES:
            self._received = without_media(self._received)
            if is_complete_answer(self._received):
                break
            self._connection.settimeout(self._left_s())
            data = self._connection.recv(4096)
            if not data:
                break
            self._received += data
        answer, self._received = parse_answer(self._received)
        return answer

    def send_request(self, method: str, url: str, *headers: str) -> None:
        """Send a request. Raises OSError."""
        self._count += 1
        lines = [f"{method} {url} RTSP/1.0", f"CSeq: {self._count}", "User-Agent: deepthings", *headers]
        authorization = self._authorization.header_for(method, url)
        if authorization is not None:
            lines.append(f"Authorization: {authorization}")
        self._connection.settimeout(self._left_s())
        self._connection.sendall("\r\n".join([*lines, "", ""]).encode())

    def _left_s(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left
