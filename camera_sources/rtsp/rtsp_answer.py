"""What a camera answers over RTSP (RFC 2326), and what that means for somebody who wants its stream. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urljoin

if TYPE_CHECKING:
    from collections.abc import Sequence

_STATUS_REASONS = {
    401: "wrong password",
    403: "this user may not see it",
    404: "no such path (404)",
    406: "it does not describe its streams as RTSP cameras do (406)",
    453: "it has not enough bandwidth: too many watch it already (453)",
    454: "it has lost the session (454)",
    500: "it has an error of its own (500); restart it",
    503: "it is overloaded, or still starts (503)",
}

_OTHER_TRANSPORT = {
    "tcp": "it streams over UDP only; write transport: udp",
    "udp": "it does not stream over UDP; write transport: tcp",
    "auto": "it streams neither over TCP nor over UDP (461)",
}

_DECODABLE_CODECS = frozenset(
    {"H264", "H265", "HEVC", "JPEG", "MP4V-ES", "VP8", "VP9", "AV1", "MPV", "H263", "H263-1998"}
)
"""Codecs by their names in descriptions; a stream of one of these that gives no picture has another fault."""

_MAX_SHOWN_LENGTH = 40
"""Characters of the camera's own words in a reason."""


@dataclass(frozen=True, slots=True)
class RtspAnswer:
    """A status with its words, headers as they came, and the body."""

    status: int
    phrase: str
    head: str
    body: str

    def header(self, name: str) -> str:
        """Return the first header of that name; empty when there is none."""
        return next(iter(self._headers(name)), "")

    @property
    def challenges(self) -> Sequence[str]:
        """Return what a server says that wants to know who asks."""
        return self._headers("www-authenticate")

    def _headers(self, name: str) -> list[str]:
        return re.findall(rf"^{re.escape(name)}[ \t]*:[ \t]*(.*?)[ \t]*\r?$", self.head, re.IGNORECASE | re.MULTILINE)


def without_media(received: bytes) -> bytes:
    """Return what was received without packets of media at its front, which come between answers (section 10.12)."""
    while received.startswith(b"$") and len(received) >= 4:
        length = 4 + int.from_bytes(received[2:4], "big")
        if len(received) < length:
            break
        received = received[length:]
    return received


def is_complete_answer(received: bytes) -> bool:
    """Return whether an answer and its body have come."""
    head, end, body = received.partition(b"\r\n\r\n")
    length = re.search(rb"^content-length[ \t]*:[ \t]*(\d{1,9})", head, re.IGNORECASE | re.MULTILINE)
    return bool(end) and len(body) >= (int(length[1]) if length else 0)


def parse_answer(received: bytes) -> tuple[RtspAnswer | None, bytes]:
    """Return an answer and what was received behind it; None for what is no answer."""
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
    """Return where the video of a described stream is set up, and where the whole is played (appendix C.1.1).

    The first is None for a stream without video. `url` is what was described.
    """
    base = answer.header("content-base") or answer.header("content-location") or url
    session, *media = re.split(r"^m=", answer.body, flags=re.MULTILINE)
    video = next((medium for medium in media if medium.startswith("video ")), None)
    whole = _control(session, base) or base
    return (None if video is None else _control(video, base) or base), whole


def _control(section: str, base: str) -> str:
    control = re.search(r"^a=control:(\S+)", section, re.MULTILINE)
    if control is None or control[1] == "*":
        return ""
    if "://" in control[1]:
        return str(control[1])
    if control[1].startswith("/"):  # urljoin knows no rtsp://
        return str(urljoin(base.replace("rtsp", "http", 1), control[1])).replace("http", "rtsp", 1)
    return f"{base.removesuffix('/')}/{control[1]}"


def failure_reason(method: str, answer: RtspAnswer | None, transport: str = "auto") -> str:
    """Return what an answer to a request means that is no 200; None: it was no answer."""
    if answer is None:
        return "not reachable: it does not speak RTSP" if method == "DESCRIBE" else f"it does not answer {method}"
    if answer.status == 461:
        return _OTHER_TRANSPORT[transport]
    if answer.status in _STATUS_REASONS:
        return _STATUS_REASONS[answer.status]
    return f"it answers {method} with {answer.status} {answer.phrase[:_MAX_SHOWN_LENGTH]}".rstrip()


def codec_failure_reason(answer: RtspAnswer) -> str:
    """Return why a stream that plays gives no picture; `answer` describes it."""
    video = answer.body.partition("m=video ")[2]
    codec = re.search(r"^a=rtpmap:\d+ ([\w.-]+)/", video, re.MULTILINE)
    if codec is None:
        return "codec not decodable"
    name = codec[1][:_MAX_SHOWN_LENGTH]
    if name.upper() in _DECODABLE_CODECS:
        return f"it plays a stream of {name}, but no picture of it can be decoded"
    return f"codec not decodable: {name}"
