"""The URL of a camera in its parts, as people write it: with passwords that nobody has escaped. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self
from urllib.parse import quote, unquote

from camera_sources.redaction import redacted
from shared.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

_HOST = r"(?P<host>\[[0-9a-fA-F:.%]+\]|[^:/?#\[\]\s]+)(:(?P<port>[0-9]{1,5}))?"


@dataclass(frozen=True, slots=True)
class Locator:
    """Where a camera is, and with what user and password, which do not show when it is printed."""

    scheme: str
    host: str
    port: int | None
    target: str
    """From the path on; at least "/"."""
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    @classmethod
    def parse(cls, url: str) -> Self:
        """Split scheme://[user[:password]@]host[:port][/path][?query]. Raises ConfigurationError without secrets.

        A password need not be escaped, but for a / in it behind an @.
        """
        scheme, _, rest = url.strip().partition("://")
        for at in _beginnings_of_host(rest):
            match = re.fullmatch(rf"{_HOST}(?P<target>[/?].*|)", rest[at:].partition("#")[0])
            if match and (not match["port"] or 0 < int(match["port"]) < 65536):
                user, _, password = rest[: max(0, at - 1)].partition(":")
                target = match["target"]
                return cls(
                    scheme=scheme.lower(), host=match["host"].strip("[]"), port=int(match["port"] or 0) or None,
                    target=target if target.startswith("/") else f"/{target}",
                    user=unquote(user), password=unquote(password),
                )  # fmt: skip
        raise ConfigurationError(
            f"camera source {redacted(url)} names no host; write {scheme}://user:password@192.168.1.20/..."
        )

    @property
    def authority(self) -> str:
        """host[:port]."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}" if self.port else host

    @property
    def plain(self) -> str:
        """The URL without user and password."""
        return f"{self.scheme}://{self.authority}{self.target}"

    @property
    def full(self) -> str:
        """The URL with all, escaped as it should be. Not to be shown."""
        if not (self.user or self.password):
            return self.plain
        colon = f":{quote(self.password, safe='')}" if self.password else ""
        return f"{self.scheme}://{quote(self.user, safe='')}{colon}@{self.authority}{self.target}"


def _beginnings_of_host(rest: str) -> Iterator[int]:
    """Behind the last @ before the path, as the standard has it; for lack of a host there, behind later ones."""
    end = next((place for place, mark in enumerate(rest) if mark in "/?#"), len(rest))
    yield rest.rfind("@", 0, end) + 1
    for place in range(end, len(rest)):
        if rest[place] == "@":
            yield place + 1
