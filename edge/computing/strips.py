"""Strips on an edge: keeps its own, and fetches others from the gateway."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from shared.errors import DeepThingsError
from shared.finite import all_finite
from shared.ftp.strip_cache import StripCache, split_strips
from shared.security.data_security import THE_GATEWAY
from shared.wire.connection import Connection
from shared.wire.headers import StripsHeader, StripsRequestHeader

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.computing.plan_work import PlanWork
    from shared.ftp.stage import Tile
    from shared.model.arrays import Array
    from shared.network.addresses import Address
    from shared.wire.wire_traffic import WireTraffic

log = logging.getLogger(__name__)

MAX_STRIP_BYTES = 8 * 2**20
"""Strips that are kept here, own and fetched ones: those of a few frames. The gateway has the others."""

StripPair = tuple[int, int]
"""Giver and reader, as indices of tiles."""


class StripStore:
    """Stores the strips of a worker's tiles, and finds those that it needs."""

    def __init__(self, traffic: WireTraffic) -> None:
        self._traffic = traffic
        self._cache: StripCache[StripPair] = StripCache(MAX_STRIP_BYTES)
        self._connection: tuple[Address, Connection] | None = None
        self._connection_lock = asyncio.Lock()

    def keep_strips(self, frame: str, tile: Tile, given: Sequence[Array]) -> dict[int, list[Array]]:
        """Keep the strips that a tile gives, and return them by reader."""
        by_reader: dict[int, list[Array]] = {}
        for strip, array in zip(tile.given, given, strict=True):
            by_reader.setdefault(strip.tile, []).append(array)
        for reader, strips in by_reader.items():
            self._cache.put(frame, (tile.index, reader), strips)
        return by_reader

    async def gather_strips(self, work: PlanWork, frame: str, index: int) -> list[Array] | None:
        """Return all strips that a tile takes, in its order; None when some are not available."""
        found = await self._find(work, frame, index)
        missing = [giver for giver in work.givers(index) if giver not in found]
        if missing:
            log.debug("%s tile %s: no strips of tiles %s", frame, index, missing)
            return None
        queues = {giver: iter(strips) for giver, strips in found.items()}
        return [next(queues[strip.tile]) for strip in work.tile(index, reusing=True).taken]

    async def prefetch_strips(self, work: PlanWork, frame: str, index: int) -> None:
        """Fetch the tile's strips that the gateway has, while another tile runs."""
        for giver, strips in (await self._find(work, frame, index)).items():
            self._cache.put(frame, (giver, index), strips)

    async def _find(self, work: PlanWork, frame: str, index: int) -> dict[int, list[Array]]:
        """Return, by giver, the strips that are kept here or at the gateway."""
        async with self._connection_lock:  # one request at a time; it also keeps two tasks from the same fetch
            kept = {giver: self._cache.get(frame, (giver, index)) for giver in work.givers(index)}
            found = {giver: strips for giver, strips in kept.items() if strips is not None}
            if len(found) < len(kept):
                found |= await self._fetch(work, frame, index, [giver for giver in kept if giver not in found])
            return found

    async def _fetch(self, work: PlanWork, frame: str, index: int, givers: Sequence[int]) -> dict[int, list[Array]]:
        request = StripsRequestHeader(frame=frame, epoch=work.epoch, reader=index, givers=tuple(givers))
        try:
            connection = await self._gateway(work.gateway)
            header, payload = await connection.request(request, StripsHeader, max_payload=work.strip_bytes(index))
        except DeepThingsError as error:
            log.info("strips not received: %s", error)
            return {}
        if sum(header.sizes.values()) != payload.size:
            return {}
        parts = split_strips(payload, header.sizes)
        strips = {giver: work.decode_strips(index, giver, part) for giver, part in parts.items() if giver in givers}
        return {giver: arrays for giver, arrays in strips.items() if arrays is not None and all_finite(arrays)}

    async def _gateway(self, address: Address) -> Connection:
        if self._connection is None or self._connection[0] != address or self._connection[1].stale:
            self._close()
            self._connection = address, await Connection.open(address, self._traffic, THE_GATEWAY)
        return self._connection[1]

    def _close(self) -> None:
        if self._connection is not None:
            self._connection[1].close()
            self._connection = None
