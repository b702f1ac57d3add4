"""Tiles that the gateway assigns: it gets their headers, and their workers get the pixels from the owner."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from edge.owner import Owner
from gateway.planning.methods import Method
from shared.ftp.grid import Grid
from shared.ftp.tiles import partition
from shared.network.addresses import Address
from shared.payloads.frames import FrameInfo
from shared.security.data_security import THE_GATEWAY
from shared.security.member_list import Role
from tests.networks import ModelBuilder
from tests.unit.edge.works import BROKER, GATEWAY, plans_of, port_of, renumbered, shared_tile, work_of

WORKERS = ("a", "b")


def staged_work():
    build = ModelBuilder(36, 48)
    tensor = "image"
    for number in range(2):
        tensor = build.conv(tensor, 4, 3, name=f"conv_{number}", pads=[1] * 4)
    network = build.network(tensor)
    stages = partition(network, ["conv_0"], Grid(2, 1)), partition(network, [tensor], Grid(2, 1), after=["conv_0"])
    return work_of(network, stages, Method.STAGED)


WORK = staged_work()
INFO = FrameInfo(frame="f", camera="door", number=1, captured_at=0.0, height=18, width=48)
"""Half as high as the input: above and below are bars."""


class Courier:
    def __init__(self):
        self.sent, self.posted, self.full = [], [], False

    async def send(self, address, parcel, expected):
        assert (address, expected) == (GATEWAY, THE_GATEWAY)
        self.sent.append(parcel)

    def post(self, address, parcel, expected):
        assert expected.role is Role.EDGE
        assert expected.name in WORKERS
        if not self.full:
            self.posted.append((address, *parcel))
        return not self.full


@pytest.fixture
async def bench():
    """An owner of one frame, whose tiles wait for their workers."""
    courier = Courier()
    bus = SimpleNamespace(broker=BROKER, publish_soon=lambda *_: None)
    owner = Owner("owner", plans_of(WORK), bus, courier, lambda _: None)
    picture = np.arange(18 * 48 * 3, dtype=np.uint32).astype(np.uint8).reshape(18, 48, 3)
    await owner.accept_frame(INFO, picture, lambda _: None)
    return SimpleNamespace(owner=owner, courier=courier)


def test_the_gateway_gets_the_headers_of_all_tiles_and_no_pixels(bench):
    assert [(header.tile, header.height, header.width) for header, _ in bench.courier.sent] == [
        (tile.index, tile.inputs[0].height, tile.inputs[0].width) for tile in WORK.stages[0]
    ]
    assert all(payload == [] for _, payload in bench.courier.sent)
    assert bench.courier.posted == []


@pytest.mark.parametrize("tile", [0, 1])
def test_a_worker_gets_its_tile_without_bars_and_is_told_the_others(bench, tile):
    bench.owner.send_assigned_tile(shared_tile(WORK, tile, WORKERS, attempt=3))
    ((address, header, payload),) = bench.courier.posted
    assert address == Address(BROKER.host, port_of(WORKERS[tile]))
    assert (header.attempt, [worker.node for worker in header.workers]) == (3, list(WORKERS))
    view = bench.owner.tasks.frames.find("f").pixels[WORK.stages[0][tile].inputs[0].slices]
    decoded = WORK.decode_pixels(header, np.frombuffer(payload[0], np.uint8))
    assert np.array_equal(decoded, view)
    assert payload[0].nbytes < view.nbytes


def test_a_tile_that_is_assigned_again_is_sent_again(bench):
    for attempt, workers in ((0, WORKERS), (1, ("b",))):
        bench.owner.send_assigned_tile(shared_tile(WORK, 0, workers, attempt=attempt))
    assert [address.port for address, _, _ in bench.courier.posted] == [port_of("a"), port_of("b")]


@pytest.mark.parametrize(
    "assigned",
    [
        shared_tile(WORK, 0, WORKERS, frame="finished"), shared_tile(renumbered(WORK, 8), 0, WORKERS),
        shared_tile(WORK, 9, WORKERS), shared_tile(WORK, 0),
    ],
    ids=["of a frame that has ended", "of another plan", "that is none", "without a worker"],
)  # fmt: skip
def test_what_is_no_tile_of_a_frame_under_way_is_not_sent(bench, assigned):
    bench.owner.send_assigned_tile(assigned)
    assert bench.courier.posted == []


def test_a_worker_for_which_too_many_wait_is_named(bench, caplog):
    bench.courier.full = True
    bench.owner.send_assigned_tile(shared_tile(WORK, 1, WORKERS))
    assert "f tile 1 not sent: too many wait for b" in caplog.text
