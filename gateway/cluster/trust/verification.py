"""Verifies the results of frames against the unpartitioned network; fetches pictures; writes annotated ones."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from camera_sources.pictures.image_decoding import decode_picture
from camera_sources.pictures.picture_size import picture_size_of
from gateway.annotation.boxes import annotate, write_picture
from gateway.cluster.trust.attribution import deviation_limit, differing_tiles
from gateway.cluster.trust.object_difference import WRONG_OBJECTS, object_difference
from gateway.cluster.whole_frame import WholeFrame
from gateway.planning.partitioned import Difference, PartitionedModel, WholeHead, compare_maps
from shared.errors import PeerLostError, ProtocolError, SourceError
from shared.files.unfinished import remove_abandoned
from shared.model.letterbox import Letterbox
from shared.wire.connection import Connection
from shared.wire.headers import AbsentHeader, PictureHeader, PictureRequestHeader

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from shared.ftp.merge import MergedMaps
    from shared.ftp.stage import Tile
    from shared.model.arrays import FeatureMap, FloatArray, Pixels
    from shared.network.addresses import Address
    from shared.payloads.cluster import DetectedObject
    from shared.payloads.frames import FrameInfo
    from shared.security.data_security import ExpectedPeer
    from shared.wire.connection import Payload
    from shared.wire.wire_traffic import WireTraffic

log = logging.getLogger(__name__)

JPEG_HEADER_BYTES = 4096
"""Bytes by which a JPEG may exceed the exact pixels, as a tiny picture does because of its header."""

PICTURE_PERIOD_S = 1.0
"""A camera's annotated picture is written at most this often."""


@dataclass(frozen=True, slots=True)
class VerificationResult:
    """The difference between the results of a frame and those of the unpartitioned network.

    `wrong`: the differences of tiles that are wrong, by tile.
    """

    difference: Difference
    wrong: Mapping[int, float]


def judge_maps(
    made: Sequence[FeatureMap], expected: list[FeatureMap], tiles: Sequence[Tile], *, rounds: bool
) -> VerificationResult:
    """Compare merged maps with the expected ones, float32 (1, C, H, W) each.

    `rounds`: values are rounded on the wire, or by a quantised network, so that they may differ more.
    """
    difference = compare_maps(list(made), expected)
    if difference.exact:
        return VerificationResult(difference, {})
    limit = deviation_limit(difference.map_std, difference.map_max, quantised=rounds)
    return VerificationResult(difference, differing_tiles(made, expected, tiles, limit))


def judge_objects(
    found: FloatArray, expected: FloatArray, size: tuple[int, int], floor: float, *, rounds: bool
) -> VerificationResult:
    """Compare the objects in a whole frame with the expected ones; arguments as in `object_difference`."""
    largest = object_difference(found, expected, size, floor, quantised=rounds)
    spread = float(expected[:, 4].std()) if len(expected) else 0.0
    return VerificationResult(Difference(largest, spread, 1.0), {0: largest} if largest >= WRONG_OBJECTS else {})


class Verifier:
    """Compares frames with the unpartitioned network: every `every`th frame, and those of suspected nodes; 0: none."""

    def __init__(self, partitioned: PartitionedModel, every: int, threads: int, *, exact: bool = True) -> None:
        """`exact`: maps are not rounded on the wire."""
        self._every = every
        self._frames = 0
        self._size = partitioned.model.network.input_size
        self._preprocessing = partitioned.spec.preprocessing
        quantised = any(layer.op == "QuantizeLinear" for layer in partitioned.model.network.layers)
        self.rounds = quantised or not exact
        """True if values are rounded, on the wire or by a quantised network: then correct results may differ more."""
        self._whole = WholeHead(partitioned, threads) if every else None
        self._detector = partitioned.detector(threads) if every and partitioned.stage.whole else None
        self.floor = partitioned.spec.score_threshold
        """The score below which objects are not reported."""

    def next_is_due(self, *, suspected: bool = False) -> bool:
        """Count a frame; return whether it is to be verified. One of a `suspected` node is verified out of turn."""
        self._frames += 1
        return self._whole is not None and (suspected or (self._frames - 1) % self._every == 0)

    def verify(self, picture: Pixels, merged: MergedMaps | WholeFrame) -> VerificationResult:
        """Compare a frame with the unpartitioned network for its picture, uint8 BGR (H, W, 3).

        The objects of a whole frame are compared, the maps of other frames.
        """
        assert self._whole is not None
        letterbox = Letterbox.for_picture(picture.shape, self._size, self._preprocessing)
        whole = self._whole.run(letterbox.apply(picture, self._preprocessing))
        if isinstance(merged, WholeFrame):
            return self._verify_objects(merged, whole, letterbox)
        return judge_maps(merged.maps, whole, merged.tiles, rounds=self.rounds)

    def _verify_objects(
        self, frame: WholeFrame, outputs: Sequence[FeatureMap], letterbox: Letterbox
    ) -> VerificationResult:
        assert self._detector is not None, "plans of whole frames have a detector"
        assert frame.objects is not None, "only complete frames are verified"
        expected = self._detector.find(outputs, letterbox).table
        size = letterbox.image_height, letterbox.image_width
        return judge_objects(frame.objects.table, expected, size, self.floor, rounds=self.rounds)


class VerificationFolder:
    """A folder with the newest annotated picture of each camera, CAMERA.png."""

    def __init__(self, folder: Path | None) -> None:
        if folder is not None:
            remove_abandoned(folder)
        self._folder = folder
        self._written: dict[str, float] = {}

    def is_due(self, camera: str) -> bool:
        """Return whether a camera's annotated picture is to be written now."""
        due = self._written.get(camera, 0.0) + PICTURE_PERIOD_S <= time.monotonic()
        return self._folder is not None and due

    def write_annotated(self, camera: str, picture: Pixels, objects: tuple[DetectedObject, ...]) -> None:
        """Write a camera's picture with its objects. Raises SourceError when the folder cannot be written."""
        assert self._folder is not None
        self._written[camera] = time.monotonic()
        write_picture(self._folder / f"{camera}.png", annotate(picture, objects))


async def fetch_picture(
    owner: Address, info: FrameInfo, traffic: WireTraffic, expected: ExpectedPeer | None = None, *, jpeg: bool = False
) -> Pixels:
    """Fetch a frame's picture, uint8 BGR (H, W, 3), from its owner: exact, or sent as JPEG.

    Raises PeerLostError, ProtocolError.
    """
    connection = await Connection.open(owner, traffic, expected)
    try:
        request = PictureRequestHeader(frame=info.frame, jpeg=jpeg)
        exact_bytes = 3 * info.height * info.width
        header, payload = await connection.request(
            request, PictureHeader, AbsentHeader, max_payload=exact_bytes + JPEG_HEADER_BYTES
        )
    finally:
        connection.close()
    if isinstance(header, AbsentHeader):
        raise PeerLostError(f"{owner} has no picture of {info.frame}: {header.reason}")
    assert isinstance(header, PictureHeader)
    height, width = info.height, info.width
    if header.jpeg:
        payload = await asyncio.to_thread(_decode_jpeg, owner, payload, (width, height))
    if payload.size != height * width * 3:
        raise ProtocolError(f"{owner} sent a picture of {payload.size} bytes for {width}x{height} pixels")
    return payload.reshape(height, width, 3)


def _decode_jpeg(owner: Address, jpeg: Payload, planned: tuple[int, int]) -> Pixels:
    """Decode a JPEG, uint8 BGR (H, W, 3), after checking its size, because a small file can contain a huge picture.

    `planned` are width and height in pixels. Raises ProtocolError.
    """
    data = jpeg.tobytes()
    size = picture_size_of(data)
    if size is None:
        raise ProtocolError(f"{owner} sent a picture that cannot be decoded: it is no JPEG")
    if size != planned:
        raise ProtocolError("{} sent a picture of {}x{} pixels for {}x{} pixels".format(owner, *size, *planned))
    try:
        return decode_picture(data)
    except SourceError as error:
        raise ProtocolError(f"{owner} sent a picture that cannot be decoded: {error}") from error
