"""Listens for browsers, and loads the web server when the first one comes: nobody looking costs nothing."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import logging
import socket
from typing import TYPE_CHECKING, Any

from shared.reasons.network_reasons import listen_reason

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.page.gateway_page import GatewayPage
    from shared.network.addresses import Address

log = logging.getLogger(__name__)

BACKLOG = 64
"""Connections that wait while the server is loaded."""

MAX_CONNECTIONS_AT_ONCE = 128
"""Requests beyond are answered with 503: a browser has six at once."""

IDLE_S = 120.0
"""The server is stopped when nobody has asked for anything for so long."""

IDLE_CHECK_S = 5.0

KEEP_ALIVE_S = 20
"""Seconds that a browser may keep a connection on which it asks for nothing."""

STOPPING_TIMEOUT_S = 2
"""Seconds that answers may take to end when the gateway stops."""


class WebServer:
    """Serves the page at an address. A port that is taken costs the page, not the gateway."""

    def __init__(self, page: GatewayPage, address: Address) -> None:
        self._page = page
        self._address = address

    async def run(self) -> None:
        """Serve until cancelled."""
        listening = self._listen()
        if listening is None:
            await asyncio.Event().wait()
            return
        with listening:
            log.info("gateway: page http://%s", self._address)
            while True:
                await _connection_waits(listening)
                try:
                    await self._serve(listening)
                except Exception:  # the page is not worth the gateway
                    log.exception("the page cannot be served now")
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
                "no page at http://%s: %s; choose another --page-port, or page.port in the configuration",
                self._address, reason,
            )  # fmt: skip
            return None
        return listening

    async def _serve(self, listening: socket.socket) -> None:
        """Serve until nobody has looked for a while, or cancelled."""
        server = await asyncio.to_thread(_load, self._page)
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
        """Send nobody anything more, and wait until the server has ended."""
        try:
            await self._page.end()
            await asyncio.wait([serving], timeout=STOPPING_TIMEOUT_S + 1)
        finally:
            serving.cancel()
            await asyncio.wait([serving])


async def _connection_waits(listening: socket.socket) -> None:
    """Return when somebody connects; the connection is accepted by others."""
    loop, waits = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(listening, waits.set)
    try:
        await waits.wait()
    finally:
        loop.remove_reader(listening)


def _load(page: GatewayPage) -> Any:  # noqa: ANN401  (a uvicorn.Server, which is only imported here)
    """Import the web server and return one. Takes a moment, so call it in a thread."""
    uvicorn = importlib.import_module("uvicorn")
    application = importlib.import_module("gateway.page.routes").make_application(page)

    class Quiet(uvicorn.Server):  # type: ignore[misc, name-defined]
        """Leaves signals to the gateway."""

        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield

    return Quiet(
        uvicorn.Config(
            page.counting(application),
            access_log=False,
            http="h11",
            lifespan="off",
            limit_concurrency=MAX_CONNECTIONS_AT_ONCE,
            log_config=None,
            log_level="warning",
            loop="none",
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=STOPPING_TIMEOUT_S,
            timeout_keep_alive=KEEP_ALIVE_S,
            ws="none",
        )
    )
