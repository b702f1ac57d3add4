"""Listens for browsers, and loads the web server when the first one connects, so that an unused page costs nothing."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import logging
import socket
from typing import TYPE_CHECKING, Any

from shared.network.hosts import is_loopback
from shared.reasons.network_reasons import listen_reason

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.page.gateway_page import GatewayPage
    from gateway.page.page_door import PageDoor

log = logging.getLogger(__name__)

BACKLOG = 64
"""Connections that wait while the server is loaded."""

MAX_CONNECTIONS_AT_ONCE = 128
"""Connections at the same time; further requests are answered with 503. A browser has six."""

IDLE_S = 120.0
"""The server is stopped after this time without a request."""

IDLE_CHECK_S = 5.0

KEEP_ALIVE_S = 20
"""Seconds that a browser may keep a connection open without a request."""

STOPPING_TIMEOUT_S = 2
"""Seconds that open answers have to end when the gateway stops."""


class WebServer:
    """Serves the page at an address. If its port is in use, the gateway runs without the page."""

    def __init__(self, page: GatewayPage, door: PageDoor) -> None:
        self._page = page
        self._door = door
        self._address = door.address

    async def run(self) -> None:
        """Serve until cancelled."""
        listening = self._listen()
        if listening is None:
            await asyncio.Event().wait()
            return
        with listening:
            log.info("gateway: page %s", self._door.url)
            while True:
                await _connection_waits(listening)
                try:
                    await self._serve(listening)
                except Exception:  # an error of the page must not end the gateway
                    log.exception("the page cannot be served; trying again")
                    await asyncio.sleep(IDLE_CHECK_S)

    def _listen(self) -> socket.socket | None:
        listening = socket.socket(self._address.family, socket.SOCK_STREAM)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind((self._address.host, self._address.port))
            listening.listen(BACKLOG)
            listening.setblocking(False)
        except (OSError, OverflowError, ValueError) as error:
            listening.close()
            reason = listen_reason(error, self._address.port) if isinstance(error, OSError) else str(error)
            log.warning(
                "no page at %s: %s; choose another --page-port, or page.port in the configuration",
                self._door.url, reason,
            )  # fmt: skip
            return None
        return listening

    async def _serve(self, listening: socket.socket) -> None:
        """Serve until there was no request for IDLE_S, or until cancelled."""
        server = await asyncio.to_thread(_load, self._page, self._door)
        self._page.begin()
        with listening.dup() as shared:  # the server closes it at its end
            serving = asyncio.create_task(server.serve(sockets=[shared]))
            try:
                while not serving.done() and not self._page.is_idle(IDLE_S):
                    await asyncio.wait([serving], timeout=IDLE_CHECK_S)
            finally:
                server.should_exit = True
                await self._end(serving)
        if not serving.cancelled():
            serving.result()

    async def _end(self, serving: asyncio.Task[None]) -> None:
        """End the open answers, and wait until the server has ended."""
        try:
            await self._page.end()
            await asyncio.wait([serving], timeout=STOPPING_TIMEOUT_S + 1)
        finally:
            serving.cancel()
            await asyncio.wait([serving])


async def _connection_waits(listening: socket.socket) -> None:
    """Wait until a connection can be accepted; the server accepts it."""
    loop, waits = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(listening, waits.set)
    try:
        await waits.wait()
    finally:
        loop.remove_reader(listening)


def _load(page: GatewayPage, door: PageDoor) -> Any:  # noqa: ANN401  (a uvicorn.Server, which is only imported here)
    """Import the web server, and return one. It takes a moment: call it in a thread."""
    uvicorn = importlib.import_module("uvicorn")
    application = importlib.import_module("gateway.page.routes").make_application(
        page, door.logins, beyond=not is_loopback(door.address.host)
    )

    class ServerWithoutSignals(uvicorn.Server):  # type: ignore[misc, name-defined]
        """A server that leaves signals to the gateway."""

        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield

    return ServerWithoutSignals(
        uvicorn.Config(
            page.counting(application),
            access_log=False,
            http="h11",
            lifespan="off",
            limit_concurrency=MAX_CONNECTIONS_AT_ONCE,
            log_config=None,
            log_level="error",  # warnings are about invalid requests, which anybody can send
            loop="none",
            proxy_headers=False,
            server_header=False,
            ssl_certfile=door.certificate,
            timeout_graceful_shutdown=STOPPING_TIMEOUT_S,
            timeout_keep_alive=KEEP_ALIVE_S,
            ws="none",
        )
    )
