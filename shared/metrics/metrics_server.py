"""A small HTTP server for GET /metrics only, because an edge has no web server."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING

from shared.errors import ListenError
from shared.metrics.metric_families import METRICS_TYPE, metrics_text
from shared.reasons.system_reasons import system_reason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from shared.metrics.metric_families import Histogram, Metric
    from shared.network.addresses import Address

log = logging.getLogger(__name__)

MAX_REQUEST_HEAD_BYTES = 8192
"""Request line and header fields of a request; a scraper sends some hundred bytes."""

SCRAPE_TIMEOUT_S = 10.0
"""The connection is closed if the client has not sent its request and read the answer by then: Prometheus' own timeout
is as long."""

MAX_SCRAPERS = 8
"""Connections at the same time; more are closed, so that no client can fill the memory of a small device."""


class MetricsServer:
    """Serves the metrics that `read` returns, at an address."""

    def __init__(self, address: Address, read: Callable[[], Iterable[Metric | Histogram]]) -> None:
        self._address = address
        self._read = read
        self._open = 0

    async def run(self) -> None:
        """Serve until cancelled. Raises ListenError."""
        try:
            server = await asyncio.start_server(
                self._serve, self._address.host, self._address.port, limit=MAX_REQUEST_HEAD_BYTES
            )
        except OSError as error:
            raise ListenError(
                f"metrics cannot be served at {self._address}: {system_reason(error)}; choose another --metrics-port"
            ) from error
        async with server:
            log.info("metrics for Prometheus at http://%s/metrics", self._address)
            await server.serve_forever()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        try:
            if self._open <= MAX_SCRAPERS:
                async with asyncio.timeout(SCRAPE_TIMEOUT_S):
                    writer.write(self._answer(await reader.readuntil(b"\r\n\r\n")))
                    await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            log.debug("a request for metrics was not answered: %s", error)
        except Exception:  # a fault in the metrics must not end the edge
            log.exception("a request for metrics failed; this is a bug of DeepThings")
        finally:
            self._open -= 1
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    def _answer(self, head: bytes) -> bytes:
        method, _, rest = head.partition(b" ")
        path = rest.partition(b" ")[0].partition(b"?")[0]
        if path != b"/metrics":
            return _response("404 Not Found", b"only /metrics is here\n", "text/plain")
        if method != b"GET":
            return _response("405 Method Not Allowed", b"only GET is allowed\n", "text/plain")
        return _response("200 OK", metrics_text(self._read()), METRICS_TYPE)


def _response(status: str, body: bytes, kind: str) -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + body
