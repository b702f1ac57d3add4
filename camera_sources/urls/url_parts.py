"""Finds the possible readings of a camera's URL whose password may not be escaped. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

_HOST = re.compile(
    r"(?P<host>\[[0-9a-fA-F:.]+(?:%[\w.~-]+)?\]|[^:/?#@\[\]\s]+)(?::(?P<port>[0-9]{1,5}))?(?P<target>[/?#].*|)",
    re.DOTALL,
)

_ADDRESS = re.compile(r"\d{1,3}(\.\d{1,3}){3}|\[.*\]|.*\.(local|lan|home|internal|fritz\.box|home\.arpa)")
"""Texts that can be nothing but hosts."""

_PAIR = re.compile(r"[?&;][\w.-]+=[^/?#]*$")
"""The end of a query before an @ that belongs to a value, as in an e-mail address."""


class UrlParts(NamedTuple):
    """The parts of a URL. `login` is all before the @, still escaped; `target` is path, query and fragment."""

    scheme: str
    login: str
    host: str
    port: int | None
    target: str


def url_readings(url: str) -> tuple[UrlParts, ...]:
    """Return the possible readings of a URL, the likely one first; none if it is invalid, two if it is ambiguous.

    For example, user:12/34@host/path may have the password 12/34, or be the host `user` with port 12. If the text
    behind the @ can be nothing but a host, that decides.
    """
    scheme, separator, rest = url.strip().partition("://")
    if not separator:
        return ()
    readings = list(_readings(scheme.lower(), rest))
    if len(readings) < 2:
        return tuple(readings)
    first, second = readings[:2]
    behind = first.target.partition("@")[0]
    if first.port is None or _ADDRESS.fullmatch(first.host) or behind == "/" or _PAIR.search(behind):
        return (first,)
    return (second,) if "#" in behind or _ADDRESS.fullmatch(second.host) else (first, second)


def _readings(scheme: str, rest: str) -> Iterator[UrlParts]:
    for at in _host_starts(rest):
        match = _HOST.fullmatch(rest, at)
        if match and (not match["port"] or 0 < int(match["port"]) < 65536):
            port = int(match["port"]) if match["port"] else None
            yield UrlParts(scheme, rest[: max(0, at - 1)], match["host"], port, match["target"])


def _host_starts(rest: str) -> Iterator[int]:
    """Yield the possible positions of the host: behind the last @ before the path (the standard), behind later ones."""
    end = next((place for place, mark in enumerate(rest) if mark in "/?#"), len(rest))
    yield rest.rfind("@", 0, end) + 1
    for place in range(end, len(rest)):
        if rest[place] == "@":
            yield place + 1
