"""Parses a camera's answers over RTSP (RFC 2326), and explains why its stream cannot be received. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urljoin

if TYPE_CHECKING:
    from collections.abc import Sequence

_STATUS_REASONS = {
    401: "wrong password",
    403: "this user has no permission to see it",
    404: "no such path (404)",
    406: "it sends no stream description in SDP (406)",
    453: "not enough bandwidth: too many clients are connected to it (453)",
    454: "it does not find the session (454)",
    500: "it has an internal error (500); restart it",
    503: "it is overloaded, or still starting (503)",
}

_OTHER_TRANSPORT = {
    "tcp": "it streams over UDP only; write transport: udp",
    "udp": "it does not stream over UDP; write transport: tcp",
    "auto": "it streams neither over TCP nor over UDP (461)",
}

_DECODABLE_CODECS = frozenset(
    {"H264", "H265", "HEVC", "JPEG", "MP4V-ES", "VP8", "VP9", "AV1", "MPV", "H263", "H263-1998"}
)
"""Names of decodable codecs in stream descriptions; if a stream with one of them gives no picture, the codec is not the
cause."""

_MAX_SHOWN_LENGTH = 40
"""Characters of the camera's own text in a reason."""


@dataclass(frozen=True, slots=True)
class RtspAnswer:
    """Status code and phrase, the header lines as received, and the body."""

    status: int
    phrase: str
    head: str
    body: str

    def header(self, name: str) -> str:
        """Return the first header of that name; empty if it is missing."""
        return next(iter(self._headers(name)), "")

    @property
    def challenges(self) -> Sequence[str]:
        """Return the login challenges (WWW-Authenticate)."""
        return self._headers("www-authenticate")

    def _headers(self, name: str) -> list[str]:
        return re.findall(rf"^{re.escape(name)}[ \t]*:[ \t]*(.*?)[ \t]*\r?$", self.head, re.IGNORECASE | re.MULTILINE)


def without_media(received: bytes) -> bytes:
    """Remove media packets, which may come between answers, from the front (section 10.12)."""
    while received.startswith(b"$") and len(received) >= 4:
        length = 4 + int.from_bytes(received[2:4], "big")
        if len(received) < length:
            break
        received = received[length:]
    return received


def is_complete_answer(received: bytes) -> bool:
    """Return whether an answer and its body are complete."""
    head, end, body = received.partition(b"\r\n\r\n")
    length = re.search(rb"^content-length[ \t]*:[ \t]*(\d{1,9})", head, re.IGNORECASE | re.MULTILINE)
    return bool(end) and len(body) >= (int(length[1]) if length else 0)


def parse_answer(received: bytes) -> tuple[RtspAnswer | None, bytes]:
    """Return the answer (None if it is not RTSP) and the bytes behind it."""
    head, _, rest = received.partition(b"\r\n\r\n")
    text = head.decode("utf-8", "replace")
    status = re.match(r"RTSP/\d\.\d (\d{3})[ \t]*([^\r\n]*)", text)
    if status is None:
        return None, b""
    answer = RtspAnswer(int(status[1]), status[2].strip(), text, "")
    length = answer.header("content-length")
    end = int(length) if re.fullmatch(r"\d{1,9}", length) else 0
    body = rest[:end].decode("utf-8", "replace")
    return RtspAnswer(answer.status, answer.phrase, text, body), rest[end:]


def control_urls(answer: RtspAnswer, url: str) -> tuple[str | None, str]:
    """Return the URLs for SETUP of the video and for PLAY of the whole stream (appendix C.1.1).

    The first is None for a stream without video. `url`: that of the description.
    """
    base = answer.header("content-base") or answer.header("content-location") or url
    session, *media = re.split(r"^m=", answer.body, flags=re.MULTILINE)
    video = next((medium for medium in media if medium.startswith("video ")), None)
    stream_url = _control(session, base) or base
    return (None if video is None else _control(video, base) or base), stream_url


def _control(section: str, base: str) -> str:
    control = re.search(r"^a=control:(\S+)", section, re.MULTILINE)
    if control is None or control[1] == "*":
        return ""
    if "://" in control[1]:
        return str(control[1])
    if control[1].startswith("/"):  # urljoin does not support rtsp://
        return str(urljoin(base.replace("rtsp", "http", 1), control[1])).replace("http", "rtsp", 1)
    return f"{base.removesuffix('/')}/{control[1]}"


def failure_reason(method: str, answer: RtspAnswer | None, transport: str = "auto") -> str:
    """Return the reason for an answer other than 200; `answer` None: it was not RTSP."""
    if answer is None:
        return "not reachable: it does not speak RTSP" if method == "DESCRIBE" else f"it does not answer {method}"
    if answer.status == 461:
        return _OTHER_TRANSPORT[transport]
    if answer.status in _STATUS_REASONS:
        return _STATUS_REASONS[answer.status]
    return f"it answers {method} with {answer.status} {answer.phrase[:_MAX_SHOWN_LENGTH]}".rstrip()


def codec_failure_reason(answer: RtspAnswer) -> str:
    """Return the reason why a playing stream gives no picture; `answer`: its description."""
    video = answer.body.partition("m=video ")[2]
    codec = re.search(r"^a=rtpmap:\d+ ([\w.-]+)/", video, re.MULTILINE)
    if codec is None:
        return "codec not decodable"
    name = codec[1][:_MAX_SHOWN_LENGTH]
    if name.upper() in _DECODABLE_CODECS:
        return f"its stream of {name} plays, but no picture of it can be decoded"
    return f"codec not decodable: {name}"
