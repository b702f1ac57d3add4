"""Addresses of cameras and webhooks, as far as they can be checked without asking them. Pure.

A message never has a part of the address in it but its scheme: the rest may be a password.
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
"""As go2rtc has it: ffmpeg:rtsp://..."""

_NO_SLASHES = re.compile(r"(rtsps?|https?|mqtts?|test|file):/?(?!/)", re.IGNORECASE)

_BARE_HOST = re.compile(
    r"([^/@\s]*@)?(\d{1,3}(\.\d{1,3}){3}|\[[0-9a-f:.]+\]|[\w.-]+\.(local|lan|home|internal|fritz\.box))(:\d+)?(/.*|)"
    r"|([^/@\s]*@)?[\w.-]+:\d{2,5}(/.*|)",
    re.IGNORECASE,
)

_FRIGATE_VARIABLE = re.compile(r"(?<!\$)\{([A-Z][A-Z0-9_]*)\}")
"""As Frigate has it: {FRIGATE_RTSP_PASSWORD}."""


def check_camera_url(source: SecretStr) -> SecretStr:
    """Return where a camera's pictures come from. Raises ValueError.

    A scheme that is not known here may be so where the camera is read: `not_installed_here` tells of it.
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
            what = "it can be read in two ways" if len(url_readings(text)) > 1 else "no host can be read in it"
            raise ValueError(f"{what}; {str(error).partition('; ')[2]}") from error
    return source


def _refuse_foreign(text: str) -> None:
    """Look for what other programs understand. Raises ValueError."""
    prefixed = _PREFIXED.match(text)
    if prefixed:
        raise ValueError(f"{prefixed[1]}: before an address is of another program; write what is behind it alone")
    if not scheme_of(text) and (mark := _NO_SLASHES.match(text)):
        raise ValueError(f"slashes are missing behind {mark[1]}:; write {mark[1].lower()}://")
    if not scheme_of(text) and _BARE_HOST.fullmatch(text):
        raise ValueError("a host without the kind of address; write rtsp:// or http:// before it")
    variable = _FRIGATE_VARIABLE.search(text)
    if variable:
        raise ValueError(f"{{{variable[1]}}} is not replaced here; write ${{{variable[1]}}}")


def not_installed_here(source: SecretStr) -> str | None:
    """Return the scheme of a source that nobody has installed on this machine."""
    scheme = scheme_of(source.get_secret_value())
    return scheme if scheme and scheme not in known_schemes() else None


def check_webhook_url(url: SecretStr) -> SecretStr:
    """Where a webhook posts to. Raises ValueError."""
    scheme = scheme_of(url.get_secret_value())
    if scheme not in {"http", "https"}:
        raise ValueError("no address for HTTP; write http://host/path or https://host/path")
    try:
        parts = urlsplit(url.get_secret_value())
        good = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        good = False
    if not good or re.search(r"\s", url.get_secret_value()):
        raise ValueError(
            f"no host and port can be read in it; write {scheme}://host/path or {scheme}://user:password@host:port/path,"
            " with /, @, # and : of a password as %2F, %40, %23 and %3A"
        )
    return url


CameraUrl = Annotated[SecretStr, AfterValidator(check_camera_url)]
WebhookUrl = Annotated[SecretStr, AfterValidator(check_webhook_url)]
