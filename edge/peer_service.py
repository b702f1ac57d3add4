"""Serving the peers of an edge by TCP: camera agents, thieves, the gateway, and workers of neighbouring tiles."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge.tasks.task import Task
from shared.errors import DeepThingsError, PeerLostError, ProtocolError
from shared.security.member_list import Role
from shared.wire.camera_headers import CameraHeader
from shared.wire.headers import (
    AbsentHeader,
    BorderHeader,
    PictureHeader,
    PictureRequestHeader,
    TakeHeader,
    TileHeader,
    TraceRequestHeader,
)
from shared.wire.pixel_code import encode_png
from shared.wire.trace_exchange import send_spans

if TYPE_CHECKING:
    from edge.cameras.agent_sessions import CameraSessions
    from edge.computing.border_exchange import BorderExchange
    from edge.frames.owned_frame import OwnedFrame
    from edge.owner import Owner
    from edge.shared_work import SharedWork
    from shared.model.arrays import Array, Pixels
    from shared.wire.connection import Connection, Payload
    from shared.wire.header import Header

log = logging.getLogger(__name__)

SNAPSHOT_JPEG_QUALITY = 90
"""The gateway draws into the picture and encodes it again, so it must be better than a snapshot."""


class PeerService:
    """Handles each connection by its first message."""

    def __init__(self, owner: Owner, shared: SharedWork, exchange: BorderExchange, cameras: CameraSessions) -> None:
        self._owner = owner
        self._shared = shared
        self._exchange = exchange
        self._cameras = cameras

    async def serve(self, connection: Connection, first: Header, payload: Payload) -> None:
        """Serve a connection whose first message has come. Raises ProtocolError for one that no edge expects."""
        if isinstance(first, CameraHeader):
            await self._cameras.serve(connection, first)
        elif isinstance(first, TakeHeader):
            await self._serve_thief(connection, first)
        elif isinstance(first, TileHeader | BorderHeader):
            await self._serve_workers(connection, first, payload)
        elif isinstance(first, PictureRequestHeader):
            await self._serve_pictures(connection, first)
        elif isinstance(first, TraceRequestHeader):
            await self._serve_trace(connection, first)
        else:
            raise ProtocolError(f"{first.kind.name} ({payload.size} bytes) is not a message for an edge")

    async def _serve_thief(self, connection: Connection, take: Header) -> None:
        while True:
            assert isinstance(take, TakeHeader)
            connection.check_name(take.thief)
            pulled_s = await self._cameras.pull_frame() if self._owner.tasks.needs_picture(take) else None
            lent = self._owner.tasks.lend_tile(take, pulled_s)
            if isinstance(lent, AbsentHeader):
                await connection.send(lent)
            else:
                header, pixels = await self._code_pixels(take, *lent)
                try:
                    await connection.send(header, [pixels.data])
                except DeepThingsError:
                    self._owner.tasks.put_back_task(Task(header.info.frame, header.tile), take.thief)
                    raise
            take, _ = await connection.expect(TakeHeader)

    async def _code_pixels(self, take: TakeHeader, header: TileHeader, pixels: Array) -> tuple[TileHeader, Array]:
        """Return a tile's header and payload with its pixels coded, if the link to the thief makes that worth it."""
        coding, begun = self._owner.tasks.pixel_coding, time.monotonic()
        may = take.reads_png and pixels.dtype == np.uint8 and pixels.size
        if not (may and coding.pays(take.thief, begun)):
            return header, pixels
        coded = await asyncio.to_thread(encode_png, pixels)
        ended = time.monotonic()
        coding.on_coded(pixels.size, coded.size, ended - begun, ended)
        if coded.size >= pixels.size:
            return header, pixels
        log.debug("%s tile %s: coded, %d bytes of %d", header.info.frame, header.tile, coded.size, pixels.size)
        return header.model_copy(update={"png": True, "coded_ms": (ended - begun) * 1e3}), coded

    async def _serve_workers(self, connection: Connection, header: Header, payload: Payload) -> None:
        """Receive tiles that the gateway shares out, and parts of maps from other workers at the border of stages."""
        while True:
            if isinstance(header, BorderHeader):
                self._exchange.on_border(header, payload)
            else:
                assert isinstance(header, TileHeader)
                if connection.member is None or connection.member.role is not Role.GATEWAY:
                    connection.check_name(header.owner)
                await self._shared.accept_tile(header, payload)
            header, payload = await connection.expect(TileHeader, BorderHeader)

    async def _serve_trace(self, connection: Connection, request: Header) -> None:
        while True:
            assert isinstance(request, TraceRequestHeader)
            await send_spans(connection, request)
            request, _ = await connection.expect(TraceRequestHeader)

    async def _serve_pictures(self, connection: Connection, request: Header) -> None:
        while True:
            assert isinstance(request, PictureRequestHeader)
            owned = self._owner.find_frame(request.frame)
            if owned is None:
                await connection.send(AbsentHeader(reason="this frame is finished"))
            else:
                await _send_picture(connection, owned, jpeg=request.jpeg)
            with contextlib.suppress(PeerLostError):
                request, _ = await connection.expect(PictureRequestHeader)
                continue
            return


async def _send_picture(connection: Connection, owned: OwnedFrame, *, jpeg: bool) -> None:
    """Send the picture of a frame: exact, or as JPEG, a tenth of the bytes for some milliseconds of a thread."""
    data = await asyncio.to_thread(_jpeg_of, owned.picture) if jpeg else owned.picture.data
    await connection.send(PictureHeader(info=owned.info, jpeg=jpeg), [data])


def _jpeg_of(picture: Pixels) -> memoryview:
    _, data = cv2.imencode(".jpg", picture, (cv2.IMWRITE_JPEG_QUALITY, SNAPSHOT_JPEG_QUALITY))
    return data.data
