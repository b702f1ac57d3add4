from __future__ import annotations

import asyncio

import numpy as np
import pytest

from edge.computing import strips as strips_module
from edge.computing.strips import MAX_STRIP_BYTES, StripStore
from shared.errors import PeerLostError
from shared.ftp.grid import Grid
from shared.network.addresses import Address
from shared.security.data_security import THE_GATEWAY
from shared.wire.headers import StripsHeader, StripsRequestHeader
from shared.wire.wire_traffic import WireTraffic
from tests.settling import settled
from tests.unit.edge.works import GATEWAY, as_received, reusing_work

NETWORK, WORK = reusing_work(Grid(3, 3))
FREE = (0, 2, 4, 6, 8)
JOINTS = ("conv_0", "conv_1")


class Gateway:
    """What keeps strips and answers requests for them, in the place of a connection."""

    def __init__(self):
        self.kept = {}
        self.asked = []
        self.opened = []
        self.closed = False
        self.broken = False
        self.unreachable = False

    @property
    def stale(self):
        return self.closed

    async def open(self, address, _traffic, expected):
        assert expected == THE_GATEWAY
        if self.unreachable:
            raise PeerLostError(f"{address} cannot be reached")
        self.opened.append(address)
        self.closed = False
        return self

    async def request(self, question, *kinds, max_payload):
        assert kinds == (StripsHeader,)
        request = StripsRequestHeader.decode(question.encode())
        self.asked.append((request.frame, request.givers, request.reader))
        assert max_payload == WORK.strip_bytes(request.reader)
        assert request.epoch == WORK.epoch
        if self.broken:
            self.closed = True
            raise PeerLostError("gateway went away")
        places = {giver: (request.frame, giver, request.reader) for giver in request.givers}
        found = {giver: self.kept[place] for giver, place in places.items() if place in self.kept}
        header = StripsHeader(sizes={giver: payload.size for giver, payload in found.items()})
        return StripsHeader.decode(header.encode()), as_received([payload.data for payload in found.values()])

    def close(self):
        self.closed = True

    def keep(self, frame, giver, strips):
        for reader, arrays in strips.items():
            self.kept[frame, giver, reader] = as_received([np.ascontiguousarray(array).data for array in arrays])


@pytest.fixture
def gateway(monkeypatch):
    stand_in = Gateway()
    monkeypatch.setattr(strips_module, "Connection", stand_in)
    return stand_in


@pytest.fixture
def store():
    return StripStore(WireTraffic())


def whole_maps(seed=1):
    """Some values for the whole maps at the joints."""
    values = np.random.default_rng(seed)
    return [values.standard_normal(NETWORK.shapes[name], np.float32) for name in JOINTS]


def given_by(tile, maps):
    """The strips that an engine makes for others, in the tile's order."""
    return [maps[strip.joint][:, :, *strip.region.slices] for strip in WORK.tile(tile).given]


def taken_by(tile, maps):
    """The strips that a tile reads, in its order."""
    return [maps[strip.joint][:, :, *strip.region.slices] for strip in WORK.tile(tile, reusing=True).taken]


def compute(store, gateway, maps, *tiles, frame="f", here=True):
    """Tiles are computed, on this node or another, and their strips brought to the gateway."""
    for tile in tiles:
        worker = store if here else StripStore(WireTraffic())
        gateway.keep(frame, tile, worker.keep_strips(frame, WORK.tile(tile), given_by(tile, maps)))


def assert_alike(found, expected):
    assert [array.shape for array in found] == [array.shape for array in expected]
    assert all(np.array_equal(one, other) for one, other in zip(found, expected, strict=True))


@pytest.mark.parametrize("here", [True, False], ids=["computed here", "computed elsewhere"])
@pytest.mark.parametrize("reader", [1, 3, 5, 7])
async def test_a_tile_gets_what_slicing_the_whole_maps_gives_in_its_order(gateway, store, reader, here):
    maps = whole_maps()
    compute(store, gateway, maps, *FREE, here=here)
    assert_alike(await store.gather_strips(WORK, "f", reader), taken_by(reader, maps))


async def test_strips_that_were_computed_here_are_used_first(gateway, store):
    ours, others = whole_maps(1), whole_maps(2)
    compute(store, gateway, others, *FREE, here=False)
    compute(store, Gateway(), ours, *FREE)
    assert_alike(await store.gather_strips(WORK, "f", 1), taken_by(1, ours))
    assert (gateway.asked, gateway.opened) == ([], [])


async def test_only_missing_strips_are_requested(gateway, store):
    maps = whole_maps()
    compute(store, gateway, maps, 0, 2)
    compute(store, gateway, maps, 4, here=False)
    assert_alike(await store.gather_strips(WORK, "f", 1), taken_by(1, maps))
    assert gateway.asked == [("f", (4,), 1)]
    assert gateway.opened == [GATEWAY]


async def test_strips_that_nobody_has_are_not_to_be_had(gateway, store):
    compute(store, gateway, whole_maps(), 0, 2)
    assert await store.gather_strips(WORK, "f", 1) is None
    assert await store.gather_strips(WORK, "g", 1) is None


async def test_strips_of_another_size_than_planned_are_not_to_be_had(gateway, store):
    maps = whole_maps()
    compute(store, gateway, maps, *FREE, here=False)
    planned = gateway.kept["f", 4, 1]
    for wrong in (planned[:-4], planned[:-1], np.append(planned, planned[:4]), planned[:0]):
        gateway.kept["f", 4, 1] = wrong
        assert await store.gather_strips(WORK, "f", 1) is None
    gateway.kept["f", 4, 1] = planned
    assert_alike(await store.gather_strips(WORK, "f", 1), taken_by(1, maps))


@pytest.mark.parametrize("change", [{4: 1}, {4: -1}, {7: 4}, {7: 0}], ids=["more", "less", "unasked", "nothing"])
async def test_sizes_that_do_not_fit_what_came_with_them_do_no_harm(gateway, store, monkeypatch, change):
    """Sizes that do not add up tell nothing; strips that were not asked for are not among those that are found."""
    maps = whole_maps()
    compute(store, gateway, maps, *FREE, here=False)
    sizes = {giver: gateway.kept["f", giver, 1].size for giver in (0, 2, 4)}
    said = {**sizes, **{giver: sizes.get(giver, 0) + size for giver, size in change.items()}}
    payload = np.concatenate([gateway.kept["f", giver, 1] for giver in (0, 2, 4)])

    async def answer(*_, **__):
        return StripsHeader(sizes=said), payload

    monkeypatch.setattr(gateway, "request", answer)
    found = await store.gather_strips(WORK, "f", 1)
    if sum(said.values()) == payload.size:
        assert_alike(found, taken_by(1, maps))
    else:
        assert found is None


async def test_strips_that_were_not_requested_are_not_kept(gateway, store, monkeypatch):
    maps = whole_maps()
    compute(store, gateway, maps, *FREE, here=False)
    compute(store, Gateway(), maps, 0, 2)
    kept = [gateway.kept["f", giver, 1] for giver in (0, 4)]

    async def answer(*_, **__):
        return StripsHeader(sizes={0: kept[0].size, 4: kept[1].size}), np.concatenate([np.zeros_like(kept[0]), kept[1]])

    monkeypatch.setattr(gateway, "request", answer)
    assert_alike(await store.gather_strips(WORK, "f", 1), taken_by(1, maps))


async def test_one_who_needs_strips_that_are_on_their_way_waits_for_them(gateway, store, monkeypatch):
    maps = whole_maps()
    compute(store, gateway, maps, *FREE, here=False)
    answering, request = asyncio.Event(), gateway.request

    async def answer(*question, **bound):
        await answering.wait()
        return await request(*question, **bound)

    monkeypatch.setattr(gateway, "request", answer)
    ahead = asyncio.create_task(store.prefetch_strips(WORK, "f", 1))
    needed = asyncio.create_task(store.gather_strips(WORK, "f", 1))
    await settled()
    answering.set()
    await ahead
    assert_alike(await needed, taken_by(1, maps))
    assert gateway.asked == [("f", (0, 2, 4), 1)]


async def test_of_a_gateway_that_cannot_be_reached_nothing_is_to_be_had(gateway, store):
    gateway.unreachable = True
    assert await store.gather_strips(WORK, "f", 1) is None


async def test_a_lost_connection_costs_one_tile_its_strips_and_the_next_opens_another(gateway, store):
    maps = whole_maps()
    compute(store, gateway, maps, *FREE, here=False)
    gateway.broken = True
    assert await store.gather_strips(WORK, "f", 1) is None
    gateway.broken = False
    assert_alike(await store.gather_strips(WORK, "f", 1), taken_by(1, maps))
    assert gateway.opened == [GATEWAY, GATEWAY]


async def test_a_connection_is_kept_for_the_next_request(gateway, store):
    compute(store, gateway, whole_maps(), *FREE, here=False)
    for reader in (1, 3, 5, 7):
        assert await store.gather_strips(WORK, "f", reader) is not None
    assert gateway.opened == [GATEWAY]


async def test_a_gateway_that_moved_is_requested_at_its_new_address(gateway, store):
    compute(store, gateway, whole_maps(), *FREE, here=False)
    await store.gather_strips(WORK, "f", 1)
    moved = type(WORK)(WORK.plan, WORK.engines, Address("elsewhere", 1))
    await store.gather_strips(moved, "f", 3)
    assert gateway.opened == [GATEWAY, Address("elsewhere", 1)]


async def test_prefetched_strips_are_not_requested_again(gateway, store):
    maps = whole_maps()
    compute(store, gateway, maps, *FREE, here=False)
    await store.prefetch_strips(WORK, "f", 1)
    assert gateway.asked == [("f", (0, 2, 4), 1)]
    await store.prefetch_strips(WORK, "f", 1)
    assert_alike(await store.gather_strips(WORK, "f", 1), taken_by(1, maps))
    assert len(gateway.asked) == 1


async def test_what_could_not_be_fetched_ahead_may_still_be_computed_here(gateway, store):
    maps = whole_maps()
    compute(store, gateway, maps, 0, 2, here=False)
    await store.prefetch_strips(WORK, "f", 1)
    compute(store, Gateway(), maps, 4)
    assert_alike(await store.gather_strips(WORK, "f", 1), taken_by(1, maps))


def test_the_strips_of_a_tile_are_returned_by_reader(store):
    kept = store.keep_strips("f", WORK.tile(4), given_by(4, whole_maps()))
    assert set(kept) == {1, 3, 5, 7}
    assert all(len(arrays) == len(JOINTS) for arrays in kept.values())


def test_a_tile_that_gives_nothing_keeps_nothing(store):
    assert store.keep_strips("f", WORK.tile(1), []) == {}


def test_another_number_of_strips_than_planned_is_an_error_of_the_engine(store):
    with pytest.raises(ValueError, match="shorter"):
        store.keep_strips("f", WORK.tile(4), given_by(4, whole_maps())[:-1])


async def test_only_strips_of_the_latest_frames_are_kept(gateway, store):
    maps = whole_maps()
    frame_bytes = sum(array.nbytes for tile in FREE for array in given_by(tile, maps))
    frames = MAX_STRIP_BYTES // frame_bytes + 2
    for number in range(frames):
        compute(store, Gateway(), maps, *FREE, frame=f"f-{number}")
    assert await store.gather_strips(WORK, "f-0", 1) is None
    assert gateway.asked[0] == ("f-0", (0, 2, 4), 1)
    asked = len(gateway.asked)
    assert_alike(await store.gather_strips(WORK, f"f-{frames - 1}", 1), taken_by(1, maps))
    assert len(gateway.asked) == asked


@pytest.mark.parametrize("value", [np.nan, np.inf])
async def test_strips_that_are_no_numbers_are_not_to_be_had(gateway, store, value):
    maps = whole_maps()
    for array in maps:
        array[...] = value
    compute(store, gateway, maps, *FREE, here=False)
    assert await store.gather_strips(WORK, "f", 1) is None


@pytest.mark.parametrize("reader", [1, 3, 5, 7])
def test_the_bytes_of_all_strips_of_a_tile_are_known_before_they_come(reader):
    maps = [np.zeros((1, joint.channels, 64, 64), joint.dtype) for joint in WORK.plan.stages[0].joints]
    assert WORK.strip_bytes(reader) == sum(strip.nbytes for strip in taken_by(reader, maps))
