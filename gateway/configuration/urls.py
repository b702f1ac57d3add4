"""Addresses of cameras and webhooks, as far as they can be checked without asking them. Pure.

A message never has a part of the address in it but its scheme: the rest may be a password.
"""

from __future__ import annotations

import re
from importlib.metadata import entry_points
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, SecretStr

from camera_sources.locator import Locator
from gateway.configuration.wording import did_you_mean
from shared.errors import ConfigurationError

WITH_HOST = frozenset({"rtsp", "rtsps", "http", "https"})
SCHEMES = WITH_HOST | {"file", "mqtt", "test"}
"""Of cameras; third parties add theirs."""

THIRD_PARTIES = "deepthings.camera_sources"
"""The group of entry points, each named after its scheme."""


def scheme_of(source: SecretStr) -> str:
    """The scheme of a camera's source; empty for a path."""
    match = re.match(r"([a-zA-Z][a-zA-Z0-9+.-]*):/", source.get_secret_value())
    return match[1].lower() if match else ""


def source_of(source: SecretStr) -> SecretStr:
    """Where a camera's pictures come from. Raises ValueError."""
    if not source.get_secret_value().strip():
        raise ValueError("empty; write for example rtsp://user:password@host/stream or /dev/video0")
    scheme = scheme_of(source)
    known = SCHEMES | {point.name for point in entry_points(group=THIRD_PARTIES)}
    if scheme and scheme not in known:
        raise ValueError(f"unknown kind of address, {scheme}://; {did_you_mean(scheme, sorted(known))}")
    if scheme in WITH_HOST:
        try:
            Locator.parse(source.get_secret_value())
        except ConfigurationError as error:
            raise ValueError(f"no host can be read in it; write {scheme}://user:password@host:port/stream") from error
    return source


def url_of(url: SecretStr) -> SecretStr:
    """Where a webhook posts to. Raises ValueError."""
    scheme = scheme_of(url)
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


Source = Annotated[SecretStr, AfterValidator(source_of)]
Url = Annotated[SecretStr, AfterValidator(url_of)]
