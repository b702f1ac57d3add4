"""Measures the cost of sending pictures from a camera agent to its edge: by TCP, encrypted, and in shared memory.

One process of this machine sends pictures of 768 x 576 (1.33 MB) to another, which reads every picture once. The
sender has up to two pictures under way. In each round, all transports run in turn; the medians of the rounds are
printed. `python -m benchmarks.pipes [--frames N]`
"""

from __future__ import annotations

import asyncio
import multiprocessing
import ssl
import subprocess
import time
from dataclasses import dataclass
from enum import StrEnum
from statistics import median
from typing import TYPE_CHECKING

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from shared.files.unfinished import temporary_folder
from shared.network.addresses import LOOPBACK, Address
from shared.payloads.frames import FrameInfo, Outcome
from shared.security.cipher_choice import choose_cipher
from shared.wire.camera_headers import CameraHeader, FrameHeader, OutcomeHeader
from shared.wire.connection import Connection
from shared.wire.pipe import TcpListener, TcpPipe
from shared.wire.shared_pictures import SharedPictureReader, SharedPictureWriter
from shared.wire.tls_pipe import TlsPipe
from shared.wire.wire_traffic import WireTraffic

if TYPE_CHECKING:
    from multiprocessing.connection import Connection as ProcessPipe
    from pathlib import Path

    from shared.wire.pipe import Pipe

PICTURE_SIZE = (576, 768)
"""Height and width."""

PICTURE_BYTES = PICTURE_SIZE[0] * PICTURE_SIZE[1] * 3
UNDER_WAY = 2
"""Pictures that the sender may have sent without having received their outcomes."""

WARM_UP_PICTURES = 20
"""The first pictures, which are not measured: buffers and TCP's window still grow."""


class PictureWay(StrEnum):
    """The transports by which a picture gets from one process to the other; the values are their names in the table."""

    TCP = "TCP"
    TLS = "TLS 1.3"
    CHACHA = "ChaCha20"
    SHARED = "shared memory"


@dataclass(frozen=True, slots=True)
class TransferCost:
    """The cost of sending one frame: time in seconds, and CPU time of the sender and of the receiver in seconds."""

    wall_s: float
    sender_s: float
    receiver_s: float


def measure_transfer(way: PictureWay, frames: int, certificate: Path) -> TransferCost:
    """Send frames from another process to this one, and return the cost of one frame."""
    return asyncio.run(_measure(way, frames, certificate))


async def _measure(way: PictureWay, frames: int, certificate: Path) -> TransferCost:
    listener = TcpListener(Address(LOOPBACK, 0))
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    arguments = (way, listener.host_and_port[1], frames, certificate, there)
    process = context.Process(target=run_sender, args=arguments)
    process.start()
    try:
        pipe, peer = await listener.accept()
        connection = await _connection(pipe, str(peer), way, certificate, server=True)
        wall_s, receiver_s = await _receive_frames(connection, way, frames)
        connection.close()
        sender_s = float(await asyncio.to_thread(here.recv))
    finally:
        listener.close()
        process.join()
    return TransferCost(wall_s / frames, sender_s / frames, receiver_s / frames)


async def _connection(pipe: Pipe, peer: str, way: PictureWay, certificate: Path, *, server: bool) -> Connection:
    if way in {PictureWay.TLS, PictureWay.CHACHA}:
        context = tls_context(certificate, server=server)
        choose_cipher(context, aes=way is PictureWay.TLS)
        encrypted = TlsPipe(pipe, context, server=server)
        await encrypted.handshake()
        pipe = encrypted
    return Connection(pipe, peer, WireTraffic())


async def _receive_frames(connection: Connection, way: PictureWay, frames: int) -> tuple[float, float]:
    """Receive frames. Return the time and the CPU time of all frames after the warm-up, in seconds."""
    hello, _ = await connection.expect(CameraHeader)
    reader = SharedPictureReader(hello.memory) if way is PictureWay.SHARED and hello.memory else None
    begun, cpu = time.perf_counter(), time.process_time()
    for number in range(WARM_UP_PICTURES + frames):
        if number == WARM_UP_PICTURES:
            begun, cpu = time.perf_counter(), time.process_time()
        header, payload = await connection.expect(FrameHeader)
        picture = payload if reader is None or header.offset is None else reader.picture(header.info, header.offset)
        picture.max()
        del picture, payload
        released = reader.take_released() if reader is not None else ()
        await connection.send(OutcomeHeader(number=number, outcome=Outcome.PUBLISHED, released=released))
    return time.perf_counter() - begun, time.process_time() - cpu


def run_sender(way: PictureWay, port: int, frames: int, certificate: Path, result: ProcessPipe) -> None:
    """Run in a process of its own: send frames to the port, and then the CPU seconds after the warm-up to `result`."""
    result.send(asyncio.run(_send_frames(way, port, frames, certificate)))


async def _send_frames(way: PictureWay, port: int, frames: int, certificate: Path) -> float:
    address = Address(LOOPBACK, port)
    connection = await _connection(await TcpPipe.connect(address), str(address), way, certificate, server=False)
    writer = SharedPictureWriter() if way is PictureWay.SHARED else None
    await connection.send(CameraHeader(camera="front", memory=writer.memory if writer else None))
    random = np.random.default_rng(1)
    pictures = [random.integers(0, 256, (*PICTURE_SIZE, 3), np.uint8) for _ in range(4)]
    credit = asyncio.Semaphore(UNDER_WAY)

    async def receive_outcomes() -> None:
        for _ in range(WARM_UP_PICTURES + frames):
            outcome, _ = await connection.expect(OutcomeHeader)
            for number in outcome.released:
                assert writer is not None
                writer.release(number)
            credit.release()

    receiving = asyncio.create_task(receive_outcomes())
    cpu = time.process_time()
    for number in range(WARM_UP_PICTURES + frames):
        if number == WARM_UP_PICTURES:
            cpu = time.process_time()
        await credit.acquire()
        info = FrameInfo(
            frame=f"front-{number}", camera="front", number=number, captured_at=1.0, height=PICTURE_SIZE[0],
            width=PICTURE_SIZE[1],
        )  # fmt: skip
        picture = pictures[number % len(pictures)]
        offset = writer.put_picture(number, picture) if writer is not None else None
        await connection.send(FrameHeader(info=info, offset=offset), [picture.data] if offset is None else [])
    await receiving
    return time.process_time() - cpu


def tls_context(certificate: Path, *, server: bool) -> ssl.SSLContext:
    """Return a context for one side; `certificate` is a file with a certificate and its key, which both sides use."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    if server:
        context.load_cert_chain(certificate)
    else:
        context.check_hostname = False
        context.load_verify_locations(certificate)
    return context


def make_certificate(folder: Path) -> Path:
    """Make a certificate and its key in one file."""
    file = folder / "pipes.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    subprocess.run(
        [*command, "-days", "2", "-subj", "/CN=pipes", "-keyout", file, "-out", folder / "certificate.pem"],
        check=True, capture_output=True,
    )  # fmt: skip
    file.write_text(file.read_text() + (folder / "certificate.pem").read_text())
    return file


@click.command()
@click.option("--frames", type=click.IntRange(1), default=300, help="Frames in each round.")
@click.option("--rounds", type=click.IntRange(1), default=5, help="Rounds; in each, all transports run in turn.")
def main(frames: int, rounds: int) -> None:
    """Print a table of what it costs to send a picture from one process of this machine to another."""
    costs: dict[PictureWay, list[TransferCost]] = {way: [] for way in PictureWay}
    with temporary_folder("pipes") as folder:
        certificate = make_certificate(folder)
        for _ in range(rounds):
            for way in PictureWay:
                costs[way].append(measure_transfer(way, frames, certificate))
    table = Table("way", "MB/s", "core-ms a frame", "of the sender", "of the receiver", "÷ TCP")
    plain = median(cost.sender_s + cost.receiver_s for cost in costs[PictureWay.TCP])
    for way, measured in costs.items():
        sender, receiver = median(cost.sender_s for cost in measured), median(cost.receiver_s for cost in measured)
        both = median(cost.sender_s + cost.receiver_s for cost in measured)
        speed = PICTURE_BYTES / 1e6 / median(cost.wall_s for cost in measured)
        figures = [f"{seconds * 1e3:.2f}" for seconds in (both, sender, receiver)]
        table.add_row(way, f"{speed:.0f}", *figures, f"{both / plain:.2f}")
    Console().print(f"Pictures of 1.33 MB, {rounds} rounds of {frames}, {ssl.OPENSSL_VERSION}", table)


if __name__ == "__main__":
    main()
