"""Strips on an edge: those that it has computed itself, and how it gets others from the gateway."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import numpy as np

from shared.errors import DeepThingsError
from shared.strip_cache import StripCache
from shared.wire.connection import Connection, Traffic
from shared.wire.headers import Absent, Strips, StripsRequest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.work import Work
    from shared.addresses import Address
    from shared.ftp.stage import Tile
    from shared.strip_cache import Array
    from shared.wire.courier import Parcel

log = logging.getLogger(__name__)

STRIPS_CAP_BYTES = 8 * 2**20
"""Strips that this edge has computed, or will need: those of a few frames. Others are at the gateway."""

Pair = tuple[int, int]
"""Giver and reader."""


class StripStore:
    """Where a worker leaves the strips of its tiles, and finds those that it needs."""

    def __init__(self, traffic: Traffic) -> None:
        self._traffic = traffic
        self._here: StripCache[Pair] = StripCache(STRIPS_CAP_BYTES)
        self._connection: tuple[Address, Connection] | None = None
        self._asking = asyncio.Lock()

    def keep(self, frame: str, tile: Tile, given: Sequence[Array]) -> dict[int, list[Array]]:
        """Keep the strips that a tile gives, and return them by reader."""
        by_reader: dict[int, list[Array]] = {}
        for strip, array in zip(tile.given, given, strict=True):
            by_reader.setdefault(strip.tile, []).append(array)
        for reader, strips in by_reader.items():
            self._here.put(frame, (tile.index, reader), strips)
        return by_reader

    async def gather(self, work: Work, frame: str, index: int) -> list[Array] | None:
        """All strips that a tile takes, in its order; None when some are not to be had."""
        found: dict[int, list[Array]] = {}
        for giver in work.givers(index):
            strips = self._here.get(frame, (giver, index)) or await self._fetch(work, frame, giver, index)
            if strips is None:
                log.info("%s tile %s: no strips of tile %s", frame, index, giver)
                return None
            found[giver] = strips
        queues = {giver: iter(strips) for giver, strips in found.items()}
        return [next(queues[strip.tile]) for strip in work.tile(index, reusing=True).taken]

    async def prefetch(self, work: Work, frame: str, index: int) -> None:
        """Get what the gateway has of them while another tile runs; those that are still computed here will be here."""
        for giver in work.givers(index):
            if self._here.get(frame, (giver, index)) is None:
                strips = await self._fetch(work, frame, giver, index)
                if strips is not None:
                    self._here.put(frame, (giver, index), strips)

    async def _fetch(self, work: Work, frame: str, giver: int, index: int) -> list[Array] | None:
        request = StripsRequest(frame=frame, epoch=work.epoch, giver=giver, reader=index)
        try:
            async with self._asking:
                connection = await self._gateway(work.gateway)
                header, payload = await connection.ask(request, Strips, Absent)
        except DeepThingsError as error:
            log.info("strips not received: %s", error)
            return None
        return work.strips_of(index, giver, payload) if isinstance(header, Strips) else None

    async def _gateway(self, address: Address) -> Connection:
        if self._connection is None or self._connection[0] != address or self._connection[1].closed:
            self.close()
            self._connection = address, await Connection.open(address, self._traffic)
        return self._connection[1]

    def close(self) -> None:
        if self._connection is not None:
            self._connection[1].close()
            self._connection = None


def parcels_of(work: Work, frame: str, giver: int, strips: dict[int, list[Array]]) -> list[Parcel]:
    """Messages that bring a tile's strips to the gateway, one for each reader."""
    return [
        (
            Strips(frame=frame, epoch=work.epoch, giver=giver, reader=reader),
            [np.ascontiguousarray(array).data for array in arrays],
        )
        for reader, arrays in strips.items()
    ]
