"""Notifications to the service manager that started this process: ready, status, watchdog, stopping.

The protocol is sd_notify(3): datagrams to the socket in $NOTIFY_SOCKET. Without that variable, nothing is sent.
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
"""A process that has no connection after this time reports that it is ready, and goes on trying to connect."""

STATUS_PERIOD_S = 5.0
"""Period at which the status for `systemctl status` is updated."""

MANAGER_VARIABLES = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")
"""Variables that systemd sets for a service: the socket for notifications, and the period and process of its watchdog.
"""


class ServiceManager:
    """Sends notifications to the service manager, if one started this process."""

    def __init__(self, address: str = "", watchdog_s: float = 0.0) -> None:
        """`address` is a path, or @ and an abstract name; the manager ends us after `watchdog_s` of silence."""
        self.watchdog_s = watchdog_s
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._status = ""

    @classmethod
    def from_environment(cls, environment: MutableMapping[str, str]) -> ServiceManager:
        """Return the manager in the environment and remove its variables: children must not send notifications."""
        address, microseconds, process = (environment.pop(name, "") for name in MANAGER_VARIABLES)
        ours = process in {"", str(os.getpid())}
        return cls(address, int(microseconds) / 1e6 if address and ours and microseconds.isdecimal() else 0.0)

    def notify_ready(self, status: str) -> None:
        """Notify that the process is ready."""
        self._status = status
        self._notify("READY=1", f"STATUS={status}")

    def notify_status(self, text: str) -> None:
        """Notify the status, if it has changed."""
        if text != self._status:
            self._status = text
            self._notify(f"STATUS={text}")

    def notify_stopping(self) -> None:
        """Notify that the process stops. Can be called in any thread."""
        self._notify("STOPPING=1", "STATUS=stopping")

    @contextlib.asynccontextmanager
    async def watchdog(self) -> AsyncIterator[None]:
        """Notify the watchdog while the event loop runs, until the end of the context.

        If the loop hangs, the manager ends us with SIGABRT, and the stacks of all threads go to standard error.
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
        """Report that the process is ready, then the state of its connection, until cancelled.

        The process is ready when `connected` is set, or after FIRST_CONNECTION_TIMEOUT_S. `place` is the peer's name
        for people: "broker 192.168.1.5:1883".
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
        """Within the context, report that the process is ready if reaching `place` takes FIRST_CONNECTION_TIMEOUT_S."""
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
            log.debug("the service manager did not get %s: %s", lines, error)


def _connection_text(connected: asyncio.Event, place: str) -> str:
    return f"connected to {place}" if connected.is_set() else f"not connected to {place}; trying again"


current_manager = ServiceManager()
"""The manager of this process; until `start_notification` it sends nothing."""


def start_notification() -> ServiceManager:
    """Return the manager that started this process, `current_manager` from now on. Call before starting children."""
    global current_manager  # noqa: PLW0603  (a process has one, as it has one environment)
    current_manager = ServiceManager.from_environment(os.environ)
    return current_manager
