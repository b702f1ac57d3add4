"""What a process tells the service manager that started it: that it works, how it is, that it lives, that it stops.

The protocol is that of sd_notify(3): a datagram to the socket that $NOTIFY_SOCKET names. Without it nothing is told.
"""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import logging
import os
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, MutableMapping

log = logging.getLogger(__name__)

FIRST_CONNECTION_TIMEOUT_S = 10.0
"""What has not been reached by then may be away for long: the process is ready all the same, and goes on trying."""

STATUS_PERIOD_S = 5.0
"""How often the status is looked at; people read it in `systemctl status`."""

MANAGER_VARIABLES = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")


class ServiceManager:
    """Tells whoever started this process as a service, if anybody did, how it is."""

    def __init__(self, address: str = "", watchdog_s: float = 0.0) -> None:
        """`address` is a path, or @ and an abstract name; with `watchdog_s` we are ended when silent for so long."""
        self.watchdog_s = watchdog_s
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._status = ""

    @classmethod
    def from_environment(cls, environment: MutableMapping[str, str]) -> ServiceManager:
        """Return who the environment names, and remove the names: children, such as Mosquitto, do not speak for us."""
        address, microseconds, process = (environment.pop(name, "") for name in MANAGER_VARIABLES)
        ours = process in {"", str(os.getpid())}
        return cls(address, int(microseconds) / 1e6 if address and ours and microseconds.isdecimal() else 0.0)

    def notify_ready(self, status: str) -> None:
        """Tell that the process works."""
        self._status = status
        self._notify("READY=1", f"STATUS={status}")

    def notify_status(self, text: str) -> None:
        """Tell how it is, when that has changed."""
        if text != self._status:
            self._status = text
            self._notify(f"STATUS={text}")

    def notify_stopping(self) -> None:
        """Tell that the process ends, in order. Can be called in any thread."""
        self._notify("STOPPING=1", "STATUS=stopping")

    @contextlib.asynccontextmanager
    async def watchdog(self) -> AsyncIterator[None]:
        """Tell that the event loop lives, as often as is wanted, until the end of the context.

        When it does not, the manager ends us with SIGABRT: what every thread did then is written to standard error.
        """
        if not self.watchdog_s:
            yield
            return
        faulthandler.enable()
        living = asyncio.create_task(self._notify_alive())
        try:
            yield
        finally:
            living.cancel()

    async def follow_connection(self, connected: asyncio.Event, place: str) -> None:
        """Tell that we are ready once `connected` is set or late, and then whether it is; until cancelled.

        `place` is where to, for people: "broker 192.168.1.5:1883".
        """
        if not self._address:
            await asyncio.Event().wait()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FIRST_CONNECTION_TIMEOUT_S):
                await connected.wait()
        self.notify_ready(_connection_text(connected, place))
        while True:
            await asyncio.sleep(STATUS_PERIOD_S)
            self.notify_status(_connection_text(connected, place))

    @contextlib.asynccontextmanager
    async def report_waiting(self, place: str) -> AsyncIterator[None]:
        """Tell that we are ready when it takes long to reach `place`, without which nothing else begins."""
        waiting = asyncio.create_task(self.follow_connection(asyncio.Event(), place))
        try:
            yield
        finally:
            waiting.cancel()

    async def _notify_alive(self) -> None:
        while True:
            self._notify("WATCHDOG=1")
            await asyncio.sleep(self.watchdog_s / 2)

    def _notify(self, *lines: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
                sender.setblocking(False)
                sender.sendto("\n".join(lines).encode(), self._address)
        except OSError as error:
            log.debug("the service manager is not told %s: %s", lines, error)


def _connection_text(connected: asyncio.Event, place: str) -> str:
    return f"connected to {place}" if connected.is_set() else f"not connected to {place}; trying again"


current_manager = ServiceManager()
"""That of this process: nobody, until `start_notification`."""


def start_notification() -> ServiceManager:
    """Return the manager that started this process, `current_manager` from now on. Call before starting children."""
    global current_manager  # noqa: PLW0603  (a process has one, as it has one environment)
    current_manager = ServiceManager.from_environment(os.environ)
    return current_manager
