"""The picture of a frame, as a gateway fetches it from the frame's owner: exact, or as JPEG."""

from __future__ import annotations

import asyncio
import contextlib
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from camera_sources.open_source import open_source
from camera_sources.source import FOOTAGE
from edge.peer_service import PeerService
from gateway.cluster.trust import verification
from gateway.cluster.trust.verification import fetch_picture
from shared.errors import PeerLostError, ProtocolError
from shared.network.addresses import LOOPBACK, Address
from shared.payloads.frames import FrameInfo
from shared.wire.headers import PictureHeader
from shared.wire.server import DataServer
from shared.wire.wire_traffic import WireTraffic

STREET = next(open_source(str(FOOTAGE)).pictures())
INFO = FrameInfo(
    frame="street-1", camera="street", number=1, captured_at=1.0, height=STREET.shape[0], width=STREET.shape[1]
)


@contextlib.asynccontextmanager
async def serving(serve):
    """A server that runs `serve`, and its address."""
    server = DataServer(serve, Address(LOOPBACK, 0), WireTraffic())
    running = asyncio.create_task(server.run())
    try:
        yield server.address
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@contextlib.asynccontextmanager
async def owner():
    """An edge that has one frame."""
    frames = {INFO.frame: SimpleNamespace(info=INFO, picture=STREET)}
    service = PeerService(SimpleNamespace(find_frame=frames.get), None, None, None)
    async with serving(service.serve) as address:
        yield address


@contextlib.asynccontextmanager
async def answering(payload, *, jpeg):
    """An edge that answers every request with this."""

    async def serve(connection, _header, _payload):
        await connection.send(PictureHeader(info=INFO, jpeg=jpeg), [memoryview(payload)])
        await connection.receive()

    async with serving(serve) as address:
        yield address


async def test_for_a_verification_it_is_exact():
    traffic = WireTraffic()
    async with owner() as address:
        fetched = await fetch_picture(address, INFO, traffic)
    assert np.array_equal(fetched, STREET)
    assert traffic["picture"] > STREET.nbytes


async def test_for_people_it_is_a_jpeg_that_looks_the_same_in_a_fraction_of_the_bytes():
    traffic = WireTraffic()
    async with owner() as address:
        fetched = await fetch_picture(address, INFO, traffic, jpeg=True)
    assert fetched.shape == STREET.shape
    assert cv2.PSNR(fetched, STREET) > 35
    assert traffic["picture"] < STREET.nbytes / 6


async def test_a_frame_that_is_finished_has_no_picture():
    async with owner() as address:
        with pytest.raises(PeerLostError, match="has no picture of street-2: this frame is finished"):
            await fetch_picture(address, INFO.model_copy(update={"frame": "street-2"}), WireTraffic(), jpeg=True)


async def test_an_owner_that_knows_no_jpeg_sends_it_exact():
    async with answering(STREET.tobytes(), jpeg=False) as address:
        assert np.array_equal(await fetch_picture(address, INFO, WireTraffic(), jpeg=True), STREET)


async def test_a_picture_of_another_size_is_found_out_before_it_is_decoded(monkeypatch):
    """A file of a megabyte may be a picture of two hundred."""
    large = cv2.imencode(".jpg", np.zeros((8000, 8000, 3), np.uint8))[1].tobytes()
    monkeypatch.setattr(verification, "decode_picture", lambda _: pytest.fail("it was decoded"))
    async with answering(large, jpeg=True) as address:
        with pytest.raises(ProtocolError, match="8000x8000 pixels for 768x576"):
            await fetch_picture(address, INFO, WireTraffic(), jpeg=True)


@pytest.mark.parametrize(
    ("payload", "jpeg", "refused"),
    [
        (b"\xff\xd8\xff\xe0 no picture", True, "cannot be decoded"),
        (b"", True, "cannot be decoded"),
        (cv2.imencode(".jpg", STREET[:100])[1].tobytes(), True, "for 768x576 pixels"),
        (STREET[:100].tobytes(), False, "for 768x576 pixels"),
    ],
)
async def test_another_picture_than_it_says_is_refused(payload, jpeg, refused):
    async with answering(payload, jpeg=jpeg) as address:
        with pytest.raises(ProtocolError, match=refused):
            await fetch_picture(address, INFO, WireTraffic(), jpeg=True)
