"""The gateway's TCP server: sends programs, strips and camera settings, receives results and tiles to share out."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from camera_sources.camera_settings import AssignedCamera
from gateway.cluster.program_store import ProgramStore
from shared.errors import ProtocolError
from shared.security.member_list import Role
from shared.wire.codec import MAX_PAYLOAD_BYTES, MessageKind
from shared.wire.headers import (
    AbsentHeader,
    LinkHeader,
    MembersHeader,
    MembersRequestHeader,
    ProgramHeader,
    ProgramRequestHeader,
    ResultHeader,
    SettingsHeader,
    SettingsRequestHeader,
    StripsHeader,
    StripsRequestHeader,
    TileHeader,
    TraceRequestHeader,
)
from shared.wire.permissions import GATEWAY_DOOR
from shared.wire.server import DataServer
from shared.wire.trace_exchange import send_spans

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

    from camera_sources.camera_settings import CameraSettings
    from shared.engine.program_parts import BuiltProgram
    from shared.model.arrays import Array
    from shared.network.addresses import Address
    from shared.plan.plan import ProgramRef
    from shared.wire.connection import Connection, Payload
    from shared.wire.header import Header
    from shared.wire.wire_traffic import WireTraffic

log = logging.getLogger(__name__)


class DataPlane:
    """Serves programs, strips and camera settings, and passes on results and tiles."""

    def __init__(self, listen: Address, traffic: WireTraffic) -> None:
        """Listen immediately. Raises ListenError."""
        self.traffic = traffic
        self._server = DataServer(self._serve, listen, traffic, GATEWAY_DOOR, self._bound_payload)
        self._bound_of: Callable[[Header], int | None] = lambda _: 0
        self._on_result: Callable[[ResultHeader, Payload], None] = lambda *_: None
        self._on_tile: Callable[[TileHeader, Payload], None] = lambda *_: None
        self._settings_of: Callable[[str, int], CameraSettings | None] = lambda *_: None
        self._edge_of: Callable[[str], str | None] = lambda _: None
        self._answer_trace: Callable[[Connection, TraceRequestHeader], Awaitable[None]] = send_spans
        self._on_link: Callable[[Connection, str], Awaitable[None]] | None = None
        self._programs = ProgramStore()
        self._strips_of: Callable[[StripsRequestHeader], Mapping[int, Sequence[Array]]] = lambda _: {}

    def serve_cluster(
        self,
        *,
        on_result: Callable[[ResultHeader, Payload], None],
        on_tile: Callable[[TileHeader, Payload], None],
        on_link: Callable[[Connection, str], Awaitable[None]],
        strips_of: Callable[[StripsRequestHeader], Mapping[int, Sequence[Array]]],
        bound_of: Callable[[Header], int | None],
    ) -> None:
        """Set the cluster's handlers: for results, tiles to share out, links of edges, and requests of strips.

        `bound_of(header)` returns the largest payload in bytes that may follow a header; None: the message is dropped.
        """
        self._bound_of = bound_of
        self._on_result, self._on_tile, self._on_link, self._strips_of = on_result, on_tile, on_link, strips_of

    def serve_settings(
        self, settings_of: Callable[[str, int], CameraSettings | None], edge_of: Callable[[str], str | None]
    ) -> None:
        """Send edges the settings that `settings_of(camera, revision)` returns; if that is None, answer with Absent.

        A member gets only the settings of cameras for which `edge_of(camera)` returns its name, because settings may
        contain passwords.
        """
        self._settings_of, self._edge_of = settings_of, edge_of

    def serve_traces(self, answer: Callable[[Connection, TraceRequestHeader], Awaitable[None]]) -> None:
        """Let `answer` handle the requests for traces of frames."""
        self._answer_trace = answer

    @property
    def address(self) -> Address:
        """Return the address that the server listens on."""
        return self._server.address

    async def run(self) -> None:
        """Serve until cancelled."""
        await self._server.run()

    def offer_programs(self, programs: Sequence[BuiltProgram]) -> list[ProgramRef]:
        """Serve these programs, too; return their hashes and sizes, in order."""
        return self._programs.offer(programs)

    def find_program(self, sha256: str) -> bytes | None:
        """Return an offered program by its hash, None if there is none; this takes a moment, and is thread-safe."""
        return self._programs.find(sha256)

    def keep_programs(self, needed: Iterable[str]) -> None:
        """Serve only the programs with these hashes from now on."""
        self._programs.keep(needed)

    def _bound_payload(self, header: Header) -> int | None:
        return self._bound_of(header)

    async def _serve(self, connection: Connection, header: Header, payload: Payload) -> None:
        while True:
            _check_sender(connection, header)
            if isinstance(header, ResultHeader):
                self._on_result(header, payload)
            elif isinstance(header, TileHeader):
                self._on_tile(header, payload)
            elif isinstance(header, LinkHeader) and self._on_link is not None:
                await self._on_link(connection, header.node)
                return
            elif isinstance(header, StripsRequestHeader):
                await self._send_strips(connection, header)
            elif isinstance(header, ProgramRequestHeader):
                await self._send_program(connection, header)
            elif isinstance(header, SettingsRequestHeader):
                await self._send_settings(connection, header)
            elif isinstance(header, MembersRequestHeader):
                await self._send_members(connection)
            elif isinstance(header, TraceRequestHeader):
                await self._answer_trace(connection, header)
            else:
                raise ProtocolError(f"{header.kind.name} is not a message for a gateway")
            header, payload = await connection.receive()

    async def _send_program(self, connection: Connection, request: ProgramRequestHeader) -> None:
        program = await asyncio.to_thread(self._programs.find, request.sha256)
        if program is not None:
            await connection.send(ProgramHeader(sha256=request.sha256), [memoryview(program)])
        else:
            await connection.send(AbsentHeader(reason="the plan has no such program"))

    async def _send_members(self, connection: Connection) -> None:
        """Send the list of members, for devices that are only cameras: they do not read the cluster's topics."""
        security = self.traffic.security
        members = None if security is None or connection.member is None else security.members
        if members is None:
            await connection.send(AbsentHeader(reason="only a device with keys may read the list of members"))
        else:
            await connection.send(MembersHeader(), [memoryview(members.model_dump_json().encode())])

    async def _send_strips(self, connection: Connection, request: StripsRequestHeader) -> None:
        found = self._strips_of(request)
        header = StripsHeader(sizes={giver: sum(array.nbytes for array in arrays) for giver, arrays in found.items()})
        await connection.send(header, [array.data for arrays in found.values() for array in arrays])

    def _may_have_settings(self, connection: Connection, camera: str) -> bool:
        """Return whether a peer may get the settings of a camera; in a cluster without keys, every peer may.

        In a cluster with keys, a member may if the camera is assigned to it. In an open cluster, a peer without keys
        may if the camera is assigned to an edge that is not a member.
        """
        edge, security = self._edge_of(camera), self.traffic.security
        if security is None or edge is None:
            return security is None
        return not security.is_member(Role.EDGE, edge) if connection.member is None else connection.member.name == edge

    async def _send_settings(self, connection: Connection, request: SettingsRequestHeader) -> None:
        settings = self._settings_of(request.camera, request.revision)
        if not self._may_have_settings(connection, request.camera):
            log.warning("%s asked for the settings of camera %s of another edge", connection.peer, request.camera)
            settings = None
        if settings is None:
            await connection.send(AbsentHeader(reason="this camera is not configured, or its settings have changed"))
            return
        payload = AssignedCamera(settings=settings).encode().encode()
        if len(payload) > MAX_PAYLOAD_BYTES[MessageKind.SETTINGS]:
            log.warning(
                "camera %s cannot be served: its settings are too long; draw its zones and masks with fewer corners",
                request.camera,
            )
            await connection.send(AbsentHeader(reason="its settings are too long"))
        else:
            await connection.send(SettingsHeader(), [memoryview(payload)])


def _check_sender(connection: Connection, header: Header) -> None:
    """Check that a node sends results, tiles and links in its own name. Raises PeerRefusedError."""
    if isinstance(header, ResultHeader):
        connection.check_name(header.worker)
    elif isinstance(header, TileHeader):
        connection.check_name(header.owner)
    elif isinstance(header, LinkHeader):
        connection.check_name(header.node)
