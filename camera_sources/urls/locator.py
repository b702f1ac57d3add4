"""Splits a camera's URL into its parts, also if its password is not escaped. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self
from urllib.parse import quote, unquote

from camera_sources.urls.redaction import redacted
from camera_sources.urls.url_parts import url_readings
from shared.errors import ConfigurationError

_ESCAPES = "#, /, ? and @ of a password as %23, %2F, %3F and %40"


@dataclass(frozen=True, slots=True)
class Locator:
    """Address, user and password of a camera; user and password are not shown in its repr."""

    scheme: str
    host: str
    port: int | None
    target: str
    """Path and query; at least "/"."""
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    @classmethod
    def parse(cls, url: str) -> Self:
        """Split scheme://[user[:password]@]host[:port][/path][?query].

        A password need not be escaped unless the URL could be read in two ways without it. Raises ConfigurationError,
        whose message contains no secrets.
        """
        readings = url_readings(url)
        scheme = url.strip().partition("://")[0]
        if not readings:
            raise ConfigurationError(
                f"camera source {redacted(url)} has no host; write {scheme}://user:password@192.168.1.20/..., with "
                f"{_ESCAPES}, and an IPv6 address in brackets"
            )
        if len(readings) > 1:
            raise ConfigurationError(
                f"camera source {redacted(url)} can be read in two ways; write {_ESCAPES}, or @ in a path as %40"
            )
        (parts,) = readings
        user, _, password = parts.login.partition(":")
        target = parts.target.partition("#")[0]
        return cls(
            scheme=parts.scheme, host=parts.host.strip("[]").replace("%25", "%"), port=parts.port,
            target=target if target.startswith("/") else f"/{target}", user=unquote(user), password=unquote(password),
        )  # fmt: skip

    @property
    def authority(self) -> str:
        """Return host[:port]."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}" if self.port else host

    @property
    def plain(self) -> str:
        """Return the URL without user and password."""
        return f"{self.scheme}://{self.authority}{self.target}"

    @property
    def full(self) -> str:
        """Return the URL with user and password, escaped. Never show or log it."""
        if not (self.user or self.password):
            return self.plain
        colon = f":{quote(self.password, safe='')}" if self.password else ""
        return f"{self.scheme}://{quote(self.user, safe='')}{colon}@{self.authority}{self.target}"
