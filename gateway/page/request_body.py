"""Reads what a browser sends, up to a size."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.errors import ConfigurationError

if TYPE_CHECKING:
    from starlette.requests import Request

MAX_BODY_BYTES = 64 * 1024
"""The largest body of a request; the zones of a camera are shorter."""


async def body_of(request: Request) -> bytes:
    """Return the body of a request. Raises ConfigurationError for one that is too large."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MAX_BODY_BYTES:
            raise ConfigurationError(f"the request is too large; send at most {MAX_BODY_BYTES} bytes")
    return body
