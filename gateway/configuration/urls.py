"""Checks the addresses of cameras and webhooks, without connecting. Pure.

Messages quote only the scheme of an address, because the rest may contain a password.
"""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, SecretStr

from camera_sources.urls.locator import Locator
from camera_sources.urls.schemes import SCHEMES_WITH_HOST, intended_scheme, known_schemes, scheme_of
from camera_sources.urls.url_parts import url_readings
from shared.errors import ConfigurationError

_PREFIXED = re.compile(r"([a-z][a-z0-9_]*):\s*[a-z]+://", re.IGNORECASE)
"""An address in the style of go2rtc: ffmpeg:rtsp://..."""

_NO_SLASHES = re.compile(r"(rtsps?|https?|mqtts?|test|file):/?(?!/)", re.IGNORECASE)
"""An address whose slashes are missing: rtsp:host, http:/host."""

_BARE_HOST = re.compile(
    r"([^/@\s]*@)?(\d{1,3}(\.\d{1,3}){3}|\[[0-9a-f:.]+\]|[\w.-]+\.(local|lan|home|internal|fritz\.box))(:\d+)?(/.*|)"
    r"|([^/@\s]*@)?[\w.-]+:\d{2,5}(/.*|)",
    re.IGNORECASE,
)

"""A host without a scheme before it: 192.168.1.20/stream, camera.local, camera:554."""

_FRIGATE_VARIABLE = re.compile(r"(?<!\$)\{([A-Z][A-Z0-9_]*)\}")
"""A variable in the style of Frigate: {FRIGATE_RTSP_PASSWORD}."""


def check_camera_url(source: SecretStr) -> SecretStr:
    """Return `source` if it is a valid address of a camera; else raise ValueError.

    Schemes that are not installed here are valid, because the edge that reads the camera may have them installed; see
    `not_installed_here`.
    """
    text = source.get_secret_value().strip()
    if not text:
        raise ValueError("empty; write for example rtsp://user:password@host/stream or /dev/video0")
    _refuse_foreign(text)
    scheme = scheme_of(text)
    if scheme and scheme not in known_schemes():
        meant = intended_scheme(scheme)
        if meant is not None:
            raise ValueError(f"unknown kind of address, {scheme}://; did you mean {meant!r}?")
    if scheme in SCHEMES_WITH_HOST:
        try:
            Locator.parse(text)
        except ConfigurationError as error:
            problem = "ambiguous" if len(url_readings(text)) > 1 else "no host found in it"
            raise ValueError(f"{problem}; {str(error).partition('; ')[2]}") from error
    return source


def _refuse_foreign(text: str) -> None:
    """Raise ValueError for an address in the style of another program, or without its scheme."""
    prefixed = _PREFIXED.match(text)
    if prefixed:
        raise ValueError(f"{prefixed[1]}: before an address is another program's; remove it")
    if not scheme_of(text) and (mark := _NO_SLASHES.match(text)):
        raise ValueError(f"slashes are missing after {mark[1]}:; write {mark[1].lower()}://")
    if not scheme_of(text) and _BARE_HOST.fullmatch(text):
        raise ValueError("the kind of address is missing; write rtsp:// or http:// before it")
    variable = _FRIGATE_VARIABLE.search(text)
    if variable:
        raise ValueError(f"{{{variable[1]}}} is not replaced here; write ${{{variable[1]}}}")


def not_installed_here(source: SecretStr) -> str | None:
    """Return the scheme of a source if it is not installed on this machine; None if it is installed."""
    scheme = scheme_of(source.get_secret_value())
    return scheme if scheme and scheme not in known_schemes() else None


def check_webhook_url(url: SecretStr) -> SecretStr:
    """Return `url` if it is a valid address of a webhook; else raise ValueError."""
    scheme = scheme_of(url.get_secret_value())
    if scheme not in {"http", "https"}:
        raise ValueError("invalid address; write http://host/path or https://host/path")
    try:
        parts = urlsplit(url.get_secret_value())
        good = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        good = False
    if not good or re.search(r"\s", url.get_secret_value()):
        raise ValueError(
            f"no host and port found in it; write {scheme}://host/path or {scheme}://user:password@host:port/path,"
            " with /, @, # and : of a password as %2F, %40, %23 and %3A"
        )
    return url


CameraUrl = Annotated[SecretStr, AfterValidator(check_camera_url)]
WebhookUrl = Annotated[SecretStr, AfterValidator(check_webhook_url)]
