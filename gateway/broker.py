"""The gateway's own Mosquitto: found, configured, started, watched, stopped."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import pwd
import shutil
import signal
import socket
from importlib.resources import files
from string import Template
from typing import TYPE_CHECKING

from shared.addresses import Address, reached_here
from shared.errors import BrokerError, ListenError
from shared.network_reasons import listen_reason
from shared.processes import dying_with_parent, stop_process
from shared.unfinished import temporary_folder

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

log = logging.getLogger(__name__)

START_TIMEOUT_S = 10.0
STOP_TIMEOUT_S = 5.0
MOSQUITTO = "mosquitto"
SYSTEM_FOLDERS = "/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin"
"""Where Debian and others put Mosquitto, which is not on everybody's PATH."""


def find_mosquitto() -> str:
    """The path of the executable. Raises BrokerError saying how to get it."""
    path = shutil.which(MOSQUITTO, path=f"{os.environ.get('PATH', '')}:{SYSTEM_FOLDERS}")
    if path is None:
        raise BrokerError(
            "Mosquitto is not installed: run 'sudo apt install mosquitto', or name a broker with --broker HOST:PORT"
        )
    return path


@contextlib.asynccontextmanager
async def own_broker(listen: Address) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a Mosquitto on `listen` for as long as the context lasts.

    Raises ListenError when the port is in use, BrokerError when Mosquitto is missing or does not start.
    """
    mosquitto = find_mosquitto()
    _refuse_used(listen)
    with temporary_folder("broker") as folder:
        configuration = _write_configuration(folder, listen)
        process = await asyncio.create_subprocess_exec(
            *dying_with_parent(_user_of_mosquitto(), number=signal.SIGTERM), mosquitto, "-c", str(configuration),
            stdin=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        assert process.stderr is not None
        words = asyncio.create_task(_relay(process.stderr))
        try:
            await _wait_until_up(process, reached_here(listen), words)
            log.info("Mosquitto listens on %s", listen)
            yield process
        finally:
            await stop_process(process, STOP_TIMEOUT_S)
            await words


def _write_configuration(folder: Path, listen: Address) -> Path:
    """Fill in the template, where the user of Mosquitto can read it."""
    template = files(MOSQUITTO).joinpath("mosquitto.conf").read_text()
    configuration = folder / "mosquitto.conf"
    configuration.write_text(Template(template).substitute(port=listen.port, host=listen.host))
    folder.chmod(0o755)
    return configuration


def _user_of_mosquitto() -> str | None:
    """The user that Mosquitto changes to when root starts it."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(MOSQUITTO).pw_name
    except KeyError:
        return None


def _refuse_used(listen: Address) -> None:
    with socket.socket(listen.family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((listen.host, listen.port))
        except (OSError, OverflowError, ValueError) as error:
            raise ListenError(
                f"cannot listen on {listen}: {listen_reason(error, listen.port)}; is another broker running there? "
                f"Use it with --broker {reached_here(listen)}, or choose another --port"
            ) from error


async def _wait_until_up(process: asyncio.subprocess.Process, address: Address, words: asyncio.Task[str]) -> None:
    try:
        async with asyncio.timeout(START_TIMEOUT_S):
            while process.returncode is None:
                try:
                    _, writer = await asyncio.open_connection(address.host, address.port)
                except OSError:
                    await asyncio.sleep(0.05)
                    continue
                writer.close()
                return
    except TimeoutError:
        raise BrokerError(f"Mosquitto did not listen on {address} within {START_TIMEOUT_S:.0f} s") from None
    raise BrokerError(f"Mosquitto ended at once (exit code {process.returncode}): {await words}")


async def _relay(stream: asyncio.StreamReader) -> str:
    """Log what Mosquitto says; returns its last line."""
    last = "it said nothing"
    while line := await stream.readline():
        last = line.decode(errors="replace").strip()
        log.warning("mosquitto: %s", last)
    return last
