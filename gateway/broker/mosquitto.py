"""Finds, configures, starts, supervises and stops the gateway's own Mosquitto."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
import signal
import socket
import time
from typing import TYPE_CHECKING

from gateway.broker.broker_folder import BrokerFolder
from gateway.broker.broker_version import require_understood
from gateway.broker.refused_connections import RefusedConnections
from shared.errors import BrokerError, DeepThingsError, ListenError
from shared.files.unfinished import temporary_folder
from shared.network.addresses import local_address
from shared.network.backoff import Backoff
from shared.process.children import parent_death_prefix, stop_process
from shared.process.footprint import allocated_memory
from shared.reasons.network_reasons import listen_reason, network_reason

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence
    from pathlib import Path

    from gateway.broker.broker_listeners import BrokerListener
    from shared.network.addresses import Address

log = logging.getLogger(__name__)

_START_TIMEOUT_S = 10.0
_STOP_TIMEOUT_S = 5.0
_ANSWER_TIMEOUT_S = 5.0
_MAX_RESTART_DELAY_S = 10.0
"""Longest time before a broker that ends again and again is restarted."""

MOSQUITTO = "mosquitto"
SYSTEM_FOLDERS = "/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin"
"""Folders of Mosquitto on Debian and other systems; they are not on every user's PATH."""


OUT_OF_MEMORY = "out of memory"
"""Mosquitto's words when it disconnects a client whose message it cannot keep: its memory_limit is reached.

Before 2.0.22 it uses them, too, for a client that is gone before its message is acknowledged.
"""

FULL_SHARE = 0.5
"""A broker that reports OUT_OF_MEMORY counts as full if it has allocated at least this share of its memory_limit. It
reports it when the next message, of at most 1 MB, would exceed the limit; when idle, it has allocated 0.7 MB."""

MIN_FULL_PAUSE_S = 10.0
"""Pause between two restarts of a full broker, for the sake of the others if a client fills it again and again."""

FULL_PERIOD_S = 600.0
"""A broker that was full is a problem for this long."""

EXPECTED_WARNINGS = ("option is now deprecated", "with 'per_listener_settings true'")
"""Parts of the warnings of Mosquitto 2.1 about our options, which are those of 2.0: it still understands them."""


def find_mosquitto() -> str:
    """Return the path of the executable. Raises BrokerError, which says how to install it."""
    path = shutil.which(MOSQUITTO, path=f"{os.environ.get('PATH', '')}:{SYSTEM_FOLDERS}")
    if path is None:
        raise BrokerError(
            "Mosquitto is not installed: run 'sudo apt install mosquitto', or name a broker with --broker HOST:PORT"
        )
    return path


@contextlib.asynccontextmanager
async def own_broker(*listeners: BrokerListener, files: Mapping[str, bytes] | None = None) -> AsyncIterator[OwnBroker]:
    """Run a Mosquitto as long as the context lasts; `OwnBroker.run` restarts it if it ends.

    `files` are the contents of the files that the listeners name. Raises ListenError if a port is in use, BrokerError
    if Mosquitto is not installed, does not understand our configuration, or does not start.
    """
    mosquitto = find_mosquitto()
    await require_understood(mosquitto, secured=bool(files))
    with temporary_folder("broker") as folder:
        broker = OwnBroker(mosquitto, folder)
        broker.configure(listeners, files or {})
        try:
            await broker.start()
            yield broker
        finally:
            await broker.stop()


class OwnBroker:
    """The Mosquitto process, and the folder with its files."""

    def __init__(self, mosquitto: str, folder: Path) -> None:
        self._folder = BrokerFolder(folder)
        self._command = (mosquitto, "-c", str(self._folder.configuration))
        self._listeners: Sequence[BrokerListener] = ()
        self._last_line: asyncio.Task[str] | None = None
        self._restarting = False
        self._full_at: float | None = None
        self._listens = asyncio.Event()
        self.refused = RefusedConnections()
        self.process: asyncio.subprocess.Process | None = None

    def configure(self, listeners: Sequence[BrokerListener], files: Mapping[str, bytes]) -> None:
        """Write the configuration for the next start."""
        self._listeners = listeners
        self._folder.write_configuration(listeners)
        self._folder.write_files(files)

    async def update(self, files: Mapping[str, bytes]) -> None:
        """Change the logins and rules of the running process, and return when they apply.

        Mosquitto disconnects clients whose login is gone. Raises BrokerError if the process does not answer.
        """
        if not self._folder.write_files(files) or self.process is None or self.process.returncode is not None:
            return  # the same as before, or the next start reads them
        self.process.send_signal(signal.SIGHUP)
        # Mosquitto reads the files between two rounds of its loop. The first answer may come from the round before, so
        # only the second one shows that the files are read.
        for _ in range(2):
            await answer_of(local_address(self._listeners[0].address), self.refused.expect)

    async def restart(self, listeners: Sequence[BrokerListener], files: Mapping[str, bytes]) -> None:
        """Let `run` restart the process with other listeners, and return when it listens; all clients reconnect."""
        self.configure(listeners, files)
        if self.process is not None:
            self._restarting = True
            self._listens.clear()
            await stop_process(self.process, _STOP_TIMEOUT_S)
            await self._listens.wait()

    async def start(self) -> None:
        """Start the process, and wait until it listens. Raises ListenError and BrokerError."""
        for listener in self._listeners:
            _refuse_used(listener)
        self.process = await asyncio.create_subprocess_exec(
            *parent_death_prefix(self._folder.user, number=signal.SIGTERM), *self._command,
            stdin=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        assert self.process.stderr is not None
        self._last_line = asyncio.create_task(self._relay(self.process.stderr))
        for listener in self._listeners:
            await _wait_until_up(self.process, local_address(listener.address), self._last_line)
        self._listens.set()
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
            if self._restarting:
                self._restarting = False
            else:
                log.error("the gateway's Mosquitto ended unexpectedly (exit code %s); restarting it", code)
                await asyncio.sleep(backoff.next_s())
            try:
                await self.start()
            except DeepThingsError as error:
                log.error("the gateway's Mosquitto cannot be restarted: %s", error)  # noqa: TRY400  (the message is enough)

    def was_full(self, now: float) -> bool:
        """Return whether the process was restarted lately because it was full; `now` is in monotonic seconds."""
        return self._full_at is not None and now - self._full_at < FULL_PERIOD_S

    def _is_full(self) -> bool:
        """Return whether the process runs and its memory is full; True, too, if its memory cannot be measured."""
        if self.process is None or self.process.returncode is not None:
            return False
        used = allocated_memory(self.process.pid)
        return used is None or used >= FULL_SHARE * self._folder.memory_limit

    def _restart_full(self, now: float) -> None:
        """Let `run` restart the process, to free its memory; the gateway and edges then publish their state again."""
        if self._full_at is not None and now - self._full_at < MIN_FULL_PAUSE_S:
            return
        self._full_at = now
        log.error("the gateway's Mosquitto has no memory left; restarting it")
        if self.process is not None and self.process.returncode is None:
            self._restarting = True
            self._listens.clear()
            self.process.terminate()

    async def stop(self) -> None:
        """Stop the process."""
        if self.process is not None:
            await stop_process(self.process, _STOP_TIMEOUT_S)
        if self._last_line is not None:
            await self._last_line

    async def _relay(self, stream: asyncio.StreamReader) -> str:
        """Log the errors and warnings of Mosquitto; return its last line."""
        last = "no output"
        while line := await stream.readline():
            last = line.decode(errors="replace").strip()
            full = OUT_OF_MEMORY in last and self._is_full()
            if full:
                self._restart_full(time.monotonic())
            if self.refused.on_line(last, time.monotonic()) or (OUT_OF_MEMORY in last and not full):
                log.debug("mosquitto: %s", last)
            elif not any(words in last for words in EXPECTED_WARNINGS):
                log.warning("mosquitto: %s", last)
        return last


def _refuse_used(listener: BrokerListener) -> None:
    """Raise ListenError if the port is in use. Mosquitto itself would not say why it failed."""
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


_CONNECT = bytes.fromhex("100c 0004 4d515454 04 02 000a 0000")
"""A CONNECT packet of MQTT 3.1.1 without client id and login."""


async def answer_of(address: Address, expect: Callable[[str], None]) -> None:
    """Connect to the broker without a login, and wait until it answers, whether it accepts or refuses.

    `expect` is called with the HOST:PORT of this end, so that a refusal is not counted as that of a device. Raises
    BrokerError if there is no answer.
    """
    try:
        async with asyncio.timeout(_ANSWER_TIMEOUT_S):
            reader, writer = await asyncio.open_connection(address.host, address.port)
            try:
                expect("{}:{}".format(*writer.get_extra_info("sockname")))
                writer.write(_CONNECT)
                await reader.read(1)
            finally:
                writer.close()
    except (OSError, TimeoutError) as error:
        raise BrokerError(f"the gateway's own broker does not answer at {address}: {network_reason(error)}") from error
