"""What a gateway serves by TCP: programs, strips and cameras' settings out; results and tiles to be shared in."""

from __future__ import annotations

import hashlib
import logging
from typing import TYPE_CHECKING

from camera_sources.camera_settings import AssignedCamera
from shared.errors import ProtocolError
from shared.ftp.strip_cache import StripCache
from shared.plan.plan import ProgramRef
from shared.wire.codec import MAX_PAYLOAD_BYTES, MessageKind
from shared.wire.headers import (
    AbsentHeader,
    Header,
    ProgramHeader,
    ProgramRequestHeader,
    ResultHeader,
    SettingsHeader,
    SettingsRequestHeader,
    StripsHeader,
    StripsRequestHeader,
    TileHeader,
)  # fmt: skip
from shared.wire.server import DataServer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from camera_sources.camera_settings import CameraSettings
    from shared.network.addresses import Address
    from shared.wire.connection import Connection, Payload, WireTraffic

log = logging.getLogger(__name__)


class DataPlane:
    """Keeps programs and strips for whoever asks; tells what comes in."""

    def __init__(self, listen: Address, traffic: WireTraffic) -> None:
        """Listen at once. Raises ListenError."""
        self.traffic = traffic
        self._server = DataServer(self._serve, listen, traffic)
        self._on_result: Callable[[ResultHeader, Payload], None] = lambda *_: None
        self._on_tile: Callable[[TileHeader, Payload], None] = lambda *_: None
        self._settings_of: Callable[[str, int], CameraSettings | None] = lambda *_: None
        self._programs: dict[str, bytes] = {}
        self._strips: StripCache[tuple[int, int]] = StripCache()
        self._epoch = 0

    def serve(
        self,
        *,
        on_result: Callable[[ResultHeader, Payload], None],
        on_tile: Callable[[TileHeader, Payload], None],
        settings_of: Callable[[str, int], CameraSettings | None],
    ) -> None:
        """Hand on results and tiles; `settings_of` finds a camera's settings by name and revision."""
        self._on_result, self._on_tile, self._settings_of = on_result, on_tile, settings_of

    @property
    def address(self) -> Address:
        return self._server.address

    async def run(self) -> None:
        """Serve until cancelled."""
        await self._server.run()

    def offer(self, programs: Sequence[bytes]) -> list[ProgramRef]:
        """Have these programs, and no others, for the asking."""
        self._programs = {hashlib.sha256(program).hexdigest(): program for program in programs}
        return [ProgramRef(sha256=sha256, bytes=len(program)) for sha256, program in self._programs.items()]

    def follow(self, epoch: int) -> None:
        """Strips are of the plan of this epoch from now on."""
        self._epoch = epoch

    def keep_strips(self, result: ResultHeader, strips: Mapping[int, Payload]) -> None:
        """Keep what a tile has for others, by reader; copied, as they came with maps that are not kept."""
        for reader, array in strips.items():
            self._strips.put(result.info.frame, (result.tile, reader), [array.copy()])

    def kept_strips(self, frame: str, giver: int) -> tuple[int, ...]:
        """Return the tiles for which a tile's strips are kept."""
        return tuple(reader for tile, reader in self._strips.keys(frame) if tile == giver)

    def drop(self, frame: str) -> None:
        """The frame is finished."""
        self._strips.drop_frame(frame)

    async def _serve(self, connection: Connection, header: Header, payload: Payload) -> None:
        while True:
            if isinstance(header, ResultHeader):
                self._on_result(header, payload)
            elif isinstance(header, TileHeader):
                self._on_tile(header, payload)
            elif isinstance(header, StripsRequestHeader):
                await self._send_strips(connection, header)
            elif isinstance(header, ProgramRequestHeader):
                await self._send_program(connection, header)
            elif isinstance(header, SettingsRequestHeader):
                await self._send_settings(connection, header)
            else:
                raise ProtocolError(f"{header.kind.name} is not for a gateway")
            header, payload = await connection.receive()

    async def _send_program(self, connection: Connection, request: ProgramRequestHeader) -> None:
        program = self._programs.get(request.sha256)
        if program is not None:
            await connection.send(ProgramHeader(sha256=request.sha256), [memoryview(program)])
        else:
            await connection.send(AbsentHeader(reason="the plan has no such program"))

    async def _send_strips(self, connection: Connection, request: StripsRequestHeader) -> None:
        """Send those that are kept; a request of another plan gets none."""
        same = request.epoch == self._epoch
        kept = {giver: self._strips.get(request.frame, (giver, request.reader)) for giver in request.givers if same}
        found = {giver: arrays for giver, arrays in kept.items() if arrays is not None}
        header = StripsHeader(sizes={giver: sum(array.nbytes for array in arrays) for giver, arrays in found.items()})
        await connection.send(header, [array.data for arrays in found.values() for array in arrays])

    async def _send_settings(self, connection: Connection, request: SettingsRequestHeader) -> None:
        settings = self._settings_of(request.camera, request.revision)
        if settings is None:
            await connection.send(AbsentHeader(reason="that camera is not configured, or otherwise by now"))
            return
        payload = AssignedCamera(settings=settings).encode().encode()
        if len(payload) > MAX_PAYLOAD_BYTES[MessageKind.SETTINGS]:
            log.warning("camera %s cannot be served: its settings are too long; draw fewer corners", request.camera)
            await connection.send(AbsentHeader(reason="its settings are too long"))
        else:
            await connection.send(SettingsHeader(), [memoryview(payload)])
