"""A camera's URL in its parts as it is meant: people do not escape what is in their passwords. Pure."""

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
"""Hosts that nothing but a host looks like."""

_PAIR = re.compile(r"[?&;][\w.-]+=[^/?#]*$")
"""Before an @ in a query, as that of an e-mail address."""


class UrlParts(NamedTuple):
    """A URL apart; `login` is all before the @, as it was written, `target` all from the path on."""

    scheme: str
    login: str
    host: str
    port: int | None
    target: str


def url_readings(url: str) -> tuple[UrlParts, ...]:
    """Return the ways in which a URL can be read, the likely one first; more than one: nobody can know which is meant.

    user:12/34@host/path can be a host `user` with port 12, too. What is behind an @ decides where it is plainly a host.
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
    """Behind the last @ before the path, as the standard has it; for lack of a host there, behind later ones."""
    end = next((place for place, mark in enumerate(rest) if mark in "/?#"), len(rest))
    yield rest.rfind("@", 0, end) + 1
    for place in range(end, len(rest)):
        if rest[place] == "@":
            yield place + 1
