"""The exchange of maps between two stages: workers of a frame send each other the parts that their neighbours need."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from typing import TYPE_CHECKING

import numpy as np

from shared.errors import DeepThingsError, PeerTimeoutError
from shared.finite import all_finite
from shared.network.addresses import Address
from shared.security.data_security import ExpectedPeer
from shared.security.member_list import Role
from shared.wire.headers import BorderHeader
from shared.wire.map_values import decode_values, encode_map

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.computing.plan_work import PlanWork
    from shared.ftp.region import Region
    from shared.ftp.stage import Tile
    from shared.model.arrays import Array, FeatureMap, FloatArray
    from shared.wire.courier import Courier
    from shared.wire.headers import TileHeader

log = logging.getLogger(__name__)

MAX_BORDER_FRAMES = 64
"""Frames with received parts; older ones are finished, or lost by their deadline."""

MAX_BORDER_BYTES = 128 * 2**20
"""Parts that wait for their tile: those of some frames of the largest networks. A neighbour that turned bad must not
fill the memory."""

BorderKey = tuple[int, int, int, int]
"""A part: attempt, stage, giver, reader."""


class InvalidBorderError(DeepThingsError):
    """Raised for a part of a map from tile `giver` with values that are not finite."""

    def __init__(self, giver: int) -> None:
        super().__init__(f"tile {giver} sent values that are not finite")
        self.giver = giver


class BorderExchange:
    """Sends parts of maps to the workers of the next stage's tiles, and collects the parts for our own tiles."""

    def __init__(self, node: str, broker: Address, courier: Courier) -> None:
        self._node = node
        self._broker = broker
        self._courier = courier
        self._frames: OrderedDict[str, dict[BorderKey, asyncio.Future[FloatArray]]] = OrderedDict()

    def on_border(self, header: BorderHeader, payload: Array) -> None:
        """Store a part that a neighbour sent; the oldest frames make room for it.

        Raises ProtocolError when it is no whole number of values.
        """
        part = decode_values(payload, header.maps)
        while self._frames and self._kept_bytes() + part.nbytes > MAX_BORDER_BYTES:
            self._drop_oldest()
        self._put(header.frame, (header.attempt, header.stage, header.giver, header.reader), part)

    async def send_borders(self, work: PlanWork, header: TileHeader, stage: int, maps: Sequence[FeatureMap]) -> None:
        """Send the parts of a tile's maps, the output of `stage`, that other tiles need."""
        own = work.stages[stage][header.tile]
        for reader in work.stages[stage + 1]:
            overlaps = _overlaps(own, reader)
            if reader.index == own.index or not any(overlaps):
                continue
            parts = [
                encode_map(array[:, :, *part.relative_to(box.top, box.left).slices], work.plan.maps)
                for array, box, part in zip(maps, own.outputs, overlaps, strict=True)
                if part is not None
            ]
            worker = header.workers[reader.index % len(header.workers)]
            key = (header.attempt, stage, own.index, reader.index)
            if worker.node == self._node:
                values = np.concatenate([part.ravel() for part in parts]).astype(np.float32, copy=False)
                self._put(header.info.frame, key, values)
                continue
            message = BorderHeader(
                frame=header.info.frame, epoch=work.epoch, giver=own.index, reader=reader.index, stage=stage,
                attempt=header.attempt, maps=work.plan.maps,
            )  # fmt: skip
            address = Address(worker.host, worker.port).seen_from(self._broker)
            expected = ExpectedPeer(Role.EDGE, worker.node)
            await self._courier.send(address, (message, [part.data for part in parts]), expected)

    async def gather_maps(
        self, work: PlanWork, header: TileHeader, stage: int, maps: Sequence[FeatureMap]
    ) -> list[FeatureMap]:
        """Return a tile's part of each map that stage + 1 reads, float32 (1, C, h, w).

        Raises PeerTimeoutError when a neighbour's part has not arrived by the frame's deadline, InvalidBorderError when
        its values are not finite.
        """
        reader, givers = work.stages[stage + 1][header.tile], work.stages[stage]
        parts: list[FeatureMap] = [
            np.empty((1, array.shape[1], region.height, region.width), np.float32)
            for array, region in zip(maps, reader.inputs, strict=True)
        ]
        for giver in givers:
            overlaps = _overlaps(giver, reader)
            if giver.index == reader.index:
                values = [
                    array[:, :, *part.relative_to(box.top, box.left).slices] if part else None
                    for array, box, part in zip(maps, giver.outputs, overlaps, strict=True)
                ]
            elif any(overlaps):
                key = (header.attempt, stage, giver.index, reader.index)
                received = await self._wait(header.info.frame, key, work.plan.deadline_s)
                values = _split(received, overlaps, [array.shape[1] for array in maps])
                if not all_finite(value for value in values if value is not None):
                    raise InvalidBorderError(giver.index)
            else:
                continue
            for array, region, part, value in zip(parts, reader.inputs, overlaps, values, strict=True):
                if part is not None and value is not None:
                    array[:, :, *part.relative_to(region.top, region.left).slices] = value
        return parts

    def drop_attempt(self, frame: str, attempt: int) -> None:
        """Remove the parts of this attempt of a frame, and of earlier ones: they are not needed any more."""
        parts_by_key = self._frames.get(frame, {})
        for key in [key for key in parts_by_key if key[0] <= attempt]:
            parts_by_key.pop(key).cancel()
        if not parts_by_key:
            self._frames.pop(frame, None)

    def _drop_oldest(self) -> None:
        """Forget the oldest frame."""
        for future in self._frames.popitem(last=False)[1].values():
            future.cancel()

    def _kept_bytes(self) -> int:
        """Return the bytes of the parts that are here and nobody has taken yet."""
        futures = (future for parts in self._frames.values() for future in parts.values())
        return sum(future.result().nbytes for future in futures if future.done() and not future.cancelled())

    def _put(self, frame: str, key: BorderKey, values: FloatArray) -> None:
        future = self._future(frame, key)
        if not future.done():
            future.set_result(values)

    async def _wait(self, frame: str, key: BorderKey, timeout_s: float) -> FloatArray:
        try:
            async with asyncio.timeout(timeout_s):
                values = await asyncio.shield(self._future(frame, key))
        except TimeoutError:
            _, stage, giver, reader = key
            raise PeerTimeoutError(
                f"{frame}: tile {giver} did not send its part of stage {stage} to tile {reader} within "
                f"{timeout_s:.0f} s"
            ) from None
        self._frames.get(frame, {}).pop(key, None)
        return values

    def _future(self, frame: str, key: BorderKey) -> asyncio.Future[FloatArray]:
        """Return the future of a part: it may arrive before or after a tile waits for it."""
        parts_by_key = self._frames.setdefault(frame, {})
        while len(self._frames) > MAX_BORDER_FRAMES:
            self._drop_oldest()
        if key not in parts_by_key:
            parts_by_key[key] = asyncio.get_running_loop().create_future()
        return parts_by_key[key]


def _overlaps(giver: Tile, reader: Tile) -> list[Region | None]:
    """Return the regions of each of the giver's maps that the reader needs."""
    return [made.overlap(needed) for made, needed in zip(giver.outputs, reader.inputs, strict=True)]


def _split(values: FloatArray, overlaps: Sequence[Region | None], channels: Sequence[int]) -> list[FeatureMap | None]:
    """Return the parts of maps in received values. Raises ValueError when they do not fit the plan."""
    planned = sum(count * part.area for part, count in zip(overlaps, channels, strict=True) if part)
    if values.size != planned:
        raise ValueError(f"a neighbour sent {values.size} values instead of {planned}")
    parts: list[FeatureMap | None] = []
    start = 0
    for part, count in zip(overlaps, channels, strict=True):
        size = count * part.area if part else 0
        shape = (1, count, part.height, part.width) if part else (0,)
        parts.append(values[start : start + size].reshape(shape) if part else None)
        start += size
    return parts
