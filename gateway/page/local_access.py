"""Allows access to the page of a gateway without keys, which has no logins, from this machine only."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.responses import PlainTextResponse

from gateway.page.page_door import is_own_name
from shared.network.hosts import is_loopback

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Receive, Scope, Send

PAGE_HEADER = b"x-deepthings"
"""A request that changes something must have this header. A browser lets a page of another site add it only if the
gateway allows that (CORS), which it does not."""

SAFE_METHODS = frozenset({"GET", "HEAD"})


class LocalOnly:
    """Refuses requests whose host is not a loopback name, as it is in a browser of this machine or through `ssh -L`.

    A request with another host may come from a page of another site whose name leads here (DNS rebinding). With
    `beyond`, for a gateway that was started with --insecure, addresses and names of this machine are allowed, too.
    """

    def __init__(self, app: ASGIApp, *, beyond: bool = False) -> None:
        self._app = app
        self._is_allowed = is_own_name if beyond else is_loopback

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            return
        headers = dict(scope["headers"])
        if refusal := refusal_of(scope["method"], headers, self._is_allowed):
            await PlainTextResponse(refusal + "\n", 403)(scope, receive, send)
            return
        await self._app(scope, receive, send)


def refusal_of(method: str, headers: dict[bytes, bytes], is_allowed: Callable[[str], bool] = is_loopback) -> str:
    """Return why a request is refused; empty if it is allowed. `is_allowed(host)` decides about host names."""
    host = host_in_url("//" + headers.get(b"host", b"").decode("latin-1"))
    if host is None or not is_allowed(host):
        return "open this page as http://127.0.0.1 on the gateway's machine, or through ssh -L: see docs/page.md"
    if method in SAFE_METHODS:
        return ""
    origin = headers.get(b"origin")
    if PAGE_HEADER not in headers or (origin is not None and not _is_allowed(origin.decode("latin-1"), is_allowed)):
        return "only the page itself may change something: send the header X-DeepThings, and no foreign Origin"
    return ""


def _is_allowed(url: str, is_allowed: Callable[[str], bool]) -> bool:
    host = host_in_url(url)
    return host is not None and is_allowed(host)


def host_in_url(url: str) -> str | None:
    """Return the host in a URL; None if it is invalid or has none."""
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None
