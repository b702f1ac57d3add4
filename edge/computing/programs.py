"""The programs of stages: fetched from the gateway once, and cached on disk by their hash."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from typing import TYPE_CHECKING

from shared.errors import ModelError, ProtocolError
from shared.files.unfinished import remove_tree
from shared.files.whole_file import write_whole
from shared.reasons.system_reasons import system_reason
from shared.wire.connection import Connection, WireTraffic
from shared.wire.headers import AbsentHeader, ProgramHeader, ProgramRequestHeader

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from shared.network.addresses import Address
    from shared.plan.plan import ProgramRef

log = logging.getLogger(__name__)

MAX_KEPT_PROGRAMS = 64
"""The newest programs stay on disk: a cluster switches between a few plans, one of which may have a program for each
layer."""


class ProgramCache:
    """A folder of programs named by their SHA-256."""

    def __init__(self, folder: Path, traffic: WireTraffic) -> None:
        self._folder = folder
        self._traffic = traffic

    async def get_program(self, program: ProgramRef, gateway: Address) -> Path:
        """Return the program's file; fetch it from `gateway` when it is missing or damaged.

        Raises PeerLostError, PeerTimeoutError, ProtocolError; ModelError when it cannot be written.
        """
        path = self._folder / f"{program.sha256}.onnx"
        if await asyncio.to_thread(self._holds, path, program):
            log.info("program %s is in the cache", program.sha256[:12])
            return path
        data = await self._fetch(program, gateway)
        try:
            await asyncio.to_thread(self._keep, path, data)
        except OSError as error:
            raise ModelError(
                f"program cache {self._folder} cannot be written: {system_reason(error)}; name another with --cache"
            ) from error
        log.info("program %s fetched from %s, %.1f MB", program.sha256[:12], gateway, len(data) / 1e6)
        return path

    @staticmethod
    def _holds(path: Path, program: ProgramRef) -> bool:
        try:
            return hashlib.sha256(path.read_bytes()).hexdigest() == program.sha256
        except OSError:
            return False

    def _keep(self, path: Path, data: memoryview) -> None:
        write_whole(path, data, durable=False, mode=None)  # its checksum is verified before each use
        self._remove_old(path)

    async def _fetch(self, program: ProgramRef, gateway: Address) -> memoryview:
        connection = await Connection.open(gateway, self._traffic)
        try:
            header, payload = await connection.request(
                ProgramRequestHeader(sha256=program.sha256), ProgramHeader, AbsentHeader
            )
        finally:
            connection.close()
        if isinstance(header, AbsentHeader) or hashlib.sha256(payload.data).hexdigest() != program.sha256:
            raise ProtocolError(f"the gateway at {gateway} does not have program {program.sha256[:12]}")
        return payload.data

    def _remove_old(self, newest: Path) -> None:
        """Remove old programs, never `newest`: a Pi without a network has the wrong time, so its file may look old."""
        others = [path for path in self._folder.glob("*.onnx") if path != newest]
        for path in _oldest(others, MAX_KEPT_PROGRAMS - 1):
            path.unlink(missing_ok=True)
        prepared = [path for path in self._folder.glob("prepared-*") if path.suffix != ".part"]
        for path in _oldest(prepared, MAX_KEPT_PROGRAMS):
            remove_tree(path)


def _oldest(paths: Iterable[Path], kept: int) -> list[Path]:
    """Return all paths but the `kept` newest."""
    return sorted(paths, key=lambda path: path.stat().st_mtime, reverse=True)[kept:]
