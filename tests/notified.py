"""The service manager's end of sd_notify(3): hears what a process tells it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class ServiceManagerSocket:
    """Hears what a process tells of itself; `address` is for its environment."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.told: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind(f"\0{address[1:]}" if address.startswith("@") else address)

    async def until(self, words: str, timeout_s: float = 40) -> str:
        """Wait until a message has these words; return it."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    message = (await loop.sock_recv(self._socket, 4096)).decode()
                    self.told.append(message)
                    if words in message:
                        return message
        except TimeoutError:
            raise AssertionError(f"{words!r} was not told, but {self.told}") from None

    async def silent(self, for_s: float) -> bool:
        """Return whether nothing is told for so long."""
        try:
            await asyncio.wait_for(asyncio.get_running_loop().sock_recv(self._socket, 4096), for_s)
        except TimeoutError:
            return True
        return False

    def close(self) -> None:
        self._socket.close()


@contextlib.contextmanager
def service_manager(address: str) -> Iterator[ServiceManagerSocket]:
    """A manager that listens at `address`: a path, or @ and an abstract name."""
    manager = ServiceManagerSocket(address)
    try:
        yield manager
    finally:
        manager.close()
