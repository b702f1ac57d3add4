"""Access to the page. A login takes the place of LocalOnly; nothing else of the page knows of it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.responses import PlainTextResponse

from shared.network.hosts import is_loopback

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

PAGE_HEADER = b"x-deepthings"
"""A request that changes something has this header: pages of other sites cannot add it without being asked first."""

SAFE_METHODS = frozenset({"GET", "HEAD"})


class LocalOnly:
    """Serves browsers of this machine: the name in the address must be a loopback one, as through `ssh -L`.

    Another name that leads here is that of a foreign page which wants to read this one (DNS rebinding).
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            return
        headers = dict(scope["headers"])
        if refusal := refusal_of(scope["method"], headers):
            await PlainTextResponse(refusal + "\n", 403)(scope, receive, send)
            return
        await self._app(scope, receive, send)


def refusal_of(method: str, headers: dict[bytes, bytes]) -> str:
    """Return why a request is refused; empty if it is allowed."""
    host = _host_in("//" + headers.get(b"host", b"").decode("latin-1"))
    if host is None or not is_loopback(host):
        return "open this page as http://127.0.0.1 on the gateway's machine, or through ssh -L: see docs/page.md"
    if method in SAFE_METHODS:
        return ""
    origin = headers.get(b"origin")
    if PAGE_HEADER not in headers or (origin is not None and not _is_local(origin.decode("latin-1"))):
        return "only the page itself may change something: send the header X-DeepThings, and no foreign Origin"
    return ""


def _is_local(url: str) -> bool:
    host = _host_in(url)
    return host is not None and is_loopback(host)


def _host_in(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None
