"""The programs of stages: fetched from the gateway once, and cached on disk by their hash."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from typing import TYPE_CHECKING

from shared.engine.program_manifest import file_checksum
from shared.errors import ModelError, ProtocolError
from shared.files.unfinished import remove_tree
from shared.files.whole_file import write_whole
from shared.reasons.system_reasons import system_reason
from shared.security.data_security import THE_GATEWAY
from shared.wire.connection import Connection
from shared.wire.headers import AbsentHeader, ProgramHeader, ProgramRequestHeader

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from shared.network.addresses import Address
    from shared.plan.plan import PartRef, ProgramParts, ProgramRef
    from shared.wire.wire_traffic import WireTraffic

log = logging.getLogger(__name__)

MAX_KEPT_PROGRAMS = 64
"""The newest programs stay on disk: a cluster switches between a few plans, one of which may have a program for each
layer."""

_ANY_HASH = "[0-9a-f]" * 64
"""Pattern of the names of own files: people keep Darknet's weights, which have the same ending, where they like."""


class ProgramCache:
    """A folder of programs named by their SHA-256.

    Large weights are files of their own beside the graphs of programs. The list of those that a graph needs (`.list`)
    is written first, so that they are not removed as unused.
    """

    def __init__(self, folder: Path, traffic: WireTraffic) -> None:
        self._folder = folder
        self._traffic = traffic

    async def get_program(self, program: ProgramRef, gateway: Address) -> Path:
        """Return the program's file; fetch it from `gateway` when it is missing or damaged.

        Raises PeerLostError, PeerTimeoutError, ProtocolError; ModelError when it cannot be written.
        """
        try:
            if program.parts is None:
                path, fetched = await self._get(program, ".onnx", gateway)
            else:
                path, fetched = await self._get_parts(program.parts, gateway)
            await asyncio.to_thread(self._remove_old, path)
        except OSError as error:
            raise ModelError(
                f"program cache {self._folder} cannot be written: {system_reason(error)}; name another with --cache"
            ) from error
        if fetched:
            log.info("program %s fetched from %s, %.1f MB", path.stem[:12], gateway, fetched / 1e6)
        else:
            log.info("program %s is in the cache", path.stem[:12])
        return path

    def path_of(self, program: ProgramRef) -> Path:
        """Return the file in which a program is once it has been fetched."""
        part = program if program.parts is None else program.parts.graph
        return self._folder / f"{part.sha256}.onnx"

    async def _get_parts(self, parts: ProgramParts, gateway: Address) -> tuple[Path, int]:
        names = "".join(f"{weights.sha256}\n" for weights in parts.weights)
        needed = self._folder / f"{parts.graph.sha256}.list"
        await asyncio.to_thread(write_whole, needed, names.encode(), durable=False, mode=None)
        sizes = [(await self._get(weights, ".weights", gateway))[1] for weights in parts.weights]
        path, size = await self._get(parts.graph, ".onnx", gateway)
        return path, size + sum(sizes)

    async def _get(self, part: PartRef, suffix: str, gateway: Address) -> tuple[Path, int]:
        """Return the file with this hash, and the bytes that were fetched for it. Raises OSError, as get_program."""
        path = self._folder / f"{part.sha256}{suffix}"
        if await asyncio.to_thread(_holds, path, part.sha256):
            return path, 0
        data = await self._fetch(part, gateway)
        # Not durable: its checksum is verified before each use.
        await asyncio.to_thread(write_whole, path, data, durable=False, mode=None)
        return path, len(data)

    async def _fetch(self, part: PartRef, gateway: Address) -> memoryview:
        connection = await Connection.open(gateway, self._traffic, THE_GATEWAY)
        try:
            header, payload = await connection.request(
                ProgramRequestHeader(sha256=part.sha256), ProgramHeader, AbsentHeader, max_payload=part.bytes
            )
        finally:
            connection.close()
        if isinstance(header, AbsentHeader) or hashlib.sha256(payload.data).hexdigest() != part.sha256:
            raise ProtocolError(f"the gateway at {gateway} does not have program {part.sha256[:12]}")
        return payload.data

    def _remove_old(self, newest: Path) -> None:
        """Remove old programs, never `newest`: a Pi without a network has the wrong time, so its file may look old."""
        others = [path for path in self._folder.glob("*.onnx") if path != newest]
        for path in _oldest(others, MAX_KEPT_PROGRAMS - 1):
            path.unlink(missing_ok=True)
            path.with_suffix(".list").unlink(missing_ok=True)
        lists = [path for path in self._folder.glob(f"{_ANY_HASH}.list") if path.stem != newest.stem]
        for path in _oldest(lists, MAX_KEPT_PROGRAMS - 1):
            path.unlink(missing_ok=True)
        needed = {name for path in self._folder.glob(f"{_ANY_HASH}.list") for name in path.read_text("ascii").split()}
        for path in self._folder.glob(f"{_ANY_HASH}.weights"):
            if path.stem not in needed:
                path.unlink(missing_ok=True)
        prepared = [path for path in self._folder.glob("prepared-*") if path.suffix != ".part"]
        for path in _oldest(prepared, MAX_KEPT_PROGRAMS):
            remove_tree(path)


def _holds(path: Path, sha256: str) -> bool:
    try:
        return file_checksum(path) == sha256
    except OSError:
        return False


def _oldest(paths: Iterable[Path], kept: int) -> list[Path]:
    """Return all paths but the `kept` newest."""
    return sorted(paths, key=lambda path: path.stat().st_mtime, reverse=True)[kept:]
