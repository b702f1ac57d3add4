"""Finds, configures, starts, supervises and stops the gateway's own Mosquitto."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import pwd
import shutil
import signal
import socket
import time
from dataclasses import dataclass
from importlib.resources import files
from string import Template
from typing import TYPE_CHECKING

from shared.errors import BrokerError, DeepThingsError, ListenError
from shared.files.unfinished import temporary_folder
from shared.network.addresses import Address, local_address
from shared.network.backoff import Backoff
from shared.process.children import parent_death_prefix, stop_process
from shared.reasons.network_reasons import listen_reason

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

log = logging.getLogger(__name__)

_START_TIMEOUT_S = 10.0
_STOP_TIMEOUT_S = 5.0
_MAX_RESTART_DELAY_S = 10.0
"""Longest time before a broker that ends again and again is restarted."""

MOSQUITTO = "mosquitto"
SYSTEM_FOLDERS = "/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin"
"""Folders of Mosquitto on Debian and other systems; they are not on every user's PATH."""


def find_mosquitto() -> str:
    """Return the path of the executable. Raises BrokerError, which says how to install it."""
    path = shutil.which(MOSQUITTO, path=f"{os.environ.get('PATH', '')}:{SYSTEM_FOLDERS}")
    if path is None:
        raise BrokerError(
            "Mosquitto is not installed: run 'sudo apt install mosquitto', or name a broker with --broker HOST:PORT"
        )
    return path


@dataclass(frozen=True, slots=True)
class BrokerListener:
    """An address on which the broker listens, and a sentence that says what to do if its port is in use."""

    address: Address
    cure: str


def cluster_listener(address: Address) -> BrokerListener:
    """Return the listener of the edges."""
    return BrokerListener(address, "is another gateway running there? Stop it, or choose another --cluster-port")


def public_listener(address: Address) -> BrokerListener:
    """Return the listener of people and automations."""
    broker = local_address(address)
    return BrokerListener(
        address, f"is another broker running there? Use it with --broker {broker}, or choose another --port"
    )


@contextlib.asynccontextmanager
async def own_broker(*listeners: BrokerListener) -> AsyncIterator[OwnBroker]:
    """Run a Mosquitto as long as the context lasts; `OwnBroker.run` restarts it if it ends.

    Raises ListenError if a port is in use, BrokerError if Mosquitto is missing or does not start.
    """
    mosquitto = find_mosquitto()
    with temporary_folder("broker") as folder:
        broker = OwnBroker(mosquitto, _write_configuration(folder, listeners), listeners)
        try:
            await broker.start()
            yield broker
        finally:
            await broker.stop()


class OwnBroker:
    """The Mosquitto process."""

    def __init__(self, mosquitto: str, configuration: Path, listeners: Sequence[BrokerListener]) -> None:
        self._command = (mosquitto, "-c", str(configuration))
        self._listeners = listeners
        self._last_line: asyncio.Task[str] | None = None
        self.process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start the process, and wait until it listens. Raises ListenError and BrokerError."""
        for listener in self._listeners:
            _refuse_used(listener)
        self.process = await asyncio.create_subprocess_exec(
            *parent_death_prefix(_user_of_mosquitto(), number=signal.SIGTERM), *self._command,
            stdin=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        assert self.process.stderr is not None
        self._last_line = asyncio.create_task(_relay(self.process.stderr))
        for listener in self._listeners:
            await _wait_until_up(self.process, local_address(listener.address), self._last_line)
        log.info("Mosquitto listens on %s", " and ".join(str(listener.address) for listener in self._listeners))

    async def run(self) -> None:
        """Restart the process whenever it ends, until cancelled. The clients reconnect by themselves."""
        backoff = Backoff(longest_s=_MAX_RESTART_DELAY_S)
        while True:
            assert self.process is not None
            started_at = time.monotonic()
            code = await self.process.wait()
            if time.monotonic() - started_at > _MAX_RESTART_DELAY_S:
                backoff.reset()
            log.error("the gateway's Mosquitto ended unexpectedly (exit code %s); restarting it", code)
            await asyncio.sleep(backoff.next_s())
            try:
                await self.start()
            except DeepThingsError as error:
                log.error("the gateway's Mosquitto cannot be restarted: %s", error)  # noqa: TRY400  (the message is enough)

    async def stop(self) -> None:
        """Stop the process."""
        if self.process is not None:
            await stop_process(self.process, _STOP_TIMEOUT_S)
        if self._last_line is not None:
            await self._last_line


def _write_configuration(folder: Path, listeners: Sequence[BrokerListener]) -> Path:
    """Write the configuration from its template. Mosquitto changes its user, and must still be able to read it."""
    template = files(MOSQUITTO).joinpath("mosquitto.conf").read_text()
    lines = (f"listener {listener.address.port} {listener.address.host}" for listener in listeners)
    configuration = folder / "mosquitto.conf"
    configuration.write_text(Template(template).substitute(listeners="\n".join(lines)))
    folder.chmod(0o755)
    return configuration


def _user_of_mosquitto() -> str | None:
    """Return the user that Mosquitto changes to if root starts it."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(MOSQUITTO).pw_name
    except KeyError:
        return None


def _refuse_used(listener: BrokerListener) -> None:
    """Raise ListenError if the port is in use: Mosquitto would only say that it failed."""
    address = listener.address
    with socket.socket(address.family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address.host, address.port))
        except (OSError, OverflowError, ValueError) as error:
            reason = listen_reason(error, address.port)
            raise ListenError(f"cannot listen on {address}: {reason}; {listener.cure}") from error


async def _wait_until_up(process: asyncio.subprocess.Process, address: Address, last_line: asyncio.Task[str]) -> None:
    try:
        async with asyncio.timeout(_START_TIMEOUT_S):
            while process.returncode is None:
                try:
                    _, writer = await asyncio.open_connection(address.host, address.port)
                except OSError:
                    await asyncio.sleep(0.05)
                    continue
                writer.close()
                return
    except TimeoutError:
        raise BrokerError(f"Mosquitto did not listen on {address} within {_START_TIMEOUT_S:.0f} s") from None
    raise BrokerError(f"Mosquitto ended at once (exit code {process.returncode}): {await last_line}")


async def _relay(stream: asyncio.StreamReader) -> str:
    """Log the output of Mosquitto; return its last line."""
    last = "no output"
    while line := await stream.readline():
        last = line.decode(errors="replace").strip()
        log.warning("mosquitto: %s", last)
    return last
