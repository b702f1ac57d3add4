from __future__ import annotations

import asyncio
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.computing import border_exchange
from edge.computing.border_exchange import MAX_BORDER_FRAMES, BorderExchange, InvalidBorderError
from gateway.planning.methods import Method, stages_of
from shared.errors import PeerTimeoutError, ProtocolError
from shared.ftp.grid import Grid
from shared.ftp.tiles import partition
from shared.network.addresses import Address
from shared.security.member_list import Role
from shared.wire.headers import BorderHeader
from tests.extent import examples
from tests.networks import ModelBuilder
from tests.settling import settled
from tests.unit.edge.works import BROKER, as_received, port_of, shared_tile, work_of


class Cables:
    """Couriers of several nodes: what one sends arrives at the exchange of another, in any order, when told to."""

    def __init__(self, *nodes):
        self.nodes = {Address(BROKER.host, port_of(name)): BorderExchange(name, BROKER, self) for name in nodes}
        self.sent = []

    def __getitem__(self, name):
        return self.nodes[Address(BROKER.host, port_of(name))]

    async def send(self, address, parcel, expected):
        assert expected.role is Role.EDGE
        assert address == Address(BROKER.host, port_of(expected.name)) or address not in self.nodes
        header, payload = parcel
        self.sent.append((address, BorderHeader.decode(header.encode()), as_received(payload)))

    def deliver(self, shuffle=lambda _: None):
        shuffle(self.sent)
        while self.sent:
            address, header, payload = self.sent.pop()
            self.nodes[address].on_border(header, payload)


def chain():
    """Three layers that each look at their neighbours, the second one at every second cell: 24 x 20, then 12 x 10."""
    build = ModelBuilder(24, 20)
    first = build.conv("image", 4, 3, name="first", pads=[1] * 4)
    second = build.conv(first, 3, 3, name="second", pads=[1] * 4, strides=[2, 2])
    return build.network(build.conv(second, 2, 5, name="third", pads=[2] * 4))


def branched():
    """Two maps of different sizes at the border of two stages."""
    build = ModelBuilder(24, 20)
    fine = build.conv("image", 4, 3, name="fine", pads=[1] * 4)
    coarse = build.conv(fine, 3, 3, name="coarse", pads=[1] * 4, strides=[2, 2])
    pooled = build.layer("MaxPool", fine, name="pooled", kernel_shape=[4, 4], strides=[2, 2], pads=[1] * 4)
    around = build.conv(coarse, 3, 3, name="around", pads=[1] * 4)
    return build.network(build.layer("Concat", around, pooled, name="last", axis=1))


CHAIN, BRANCHED = chain(), branched()


def rows(devices, shares=(), **options):
    """The chain layer by layer, in rows."""
    return work_of(CHAIN, stages_of(Method.BODP, CHAIN, ["third"], Grid(devices, 1), shares), Method.BODP, **options)


def staged(network, grid, *cuts, **options):
    """A network in stages that end at these cuts."""
    stages = [
        partition(network, cut, grid, after=after) for after, cut in zip([(), *cuts[:-1]], cuts, strict=True)
    ]  # fmt: skip
    return work_of(network, stages, Method.BODP, **options)


def maps_at(work, stage, seed=1):
    """Some values for the whole maps behind a stage."""
    outputs = [tile.outputs for tile in work.stages[stage]]
    sizes = [
        (max(boxes[number].bottom for boxes in outputs), max(boxes[number].right for boxes in outputs))
        for number in range(len(outputs[0]))
    ]
    values = np.random.default_rng(seed)
    channels = work.plan.stages[stage].channels
    return [
        values.standard_normal((1, count, *size), np.float32) for count, size in zip(channels, sizes, strict=True)
    ]  # fmt: skip


def part(whole, boxes):
    return [array[:, :, *box.slices] for array, box in zip(whole, boxes, strict=True)]


def assert_read(work, stage, tile, whole, taken):
    """What a tile of the next stage has got is what slicing the whole maps gives."""
    for got, expected in zip(taken, part(whole, work.stages[stage + 1][tile].inputs), strict=True):
        assert np.array_equal(got, expected)


async def exchange_all(work, workers, shuffle=lambda _: None):
    """All tiles give and take at every border of stages."""
    cables = Cables(*dict.fromkeys(workers))
    tiles = range(work.tile_count)
    for stage in range(len(work.stages) - 1):
        whole = maps_at(work, stage, seed=stage)
        made = [part(whole, work.stages[stage][tile].outputs) for tile in tiles]
        for tile in tiles:
            await cables[workers[tile]].send_borders(work, shared_tile(work, tile, workers), stage, made[tile])
        cables.deliver(shuffle)
        for tile in tiles:
            taken = await cables[workers[tile]].gather_maps(work, shared_tile(work, tile, workers), stage, made[tile])
            assert_read(work, stage, tile, whole, taken)


@settings(max_examples=examples(60))
@given(
    st.integers(1, 6).flatmap(lambda count: st.lists(st.floats(0.01, 10), min_size=count, max_size=count)), st.data()
)
def test_tiles_of_any_rows_read_what_the_whole_map_has_there(shares, data):
    workers = data.draw(st.lists(st.sampled_from("abcdef"), min_size=len(shares), max_size=len(shares)))
    shuffle = data.draw(st.randoms()).shuffle
    asyncio.run(exchange_all(rows(len(shares), shares), workers, shuffle))


@settings(max_examples=examples(30))
@given(st.builds(Grid, st.integers(1, 4), st.integers(1, 4)), st.randoms())
def test_tiles_of_any_grid_read_what_the_whole_map_has_there(grid, chance):
    workers = [chance.choice("abcd") for _ in range(grid.count)]
    asyncio.run(exchange_all(staged(CHAIN, grid, ["first"], ["third"]), workers, chance.shuffle))


@settings(max_examples=examples(30))
@given(st.builds(Grid, st.integers(1, 4), st.integers(1, 4)), st.randoms())
def test_several_maps_of_different_sizes_are_exchanged_together(grid, chance):
    workers = [chance.choice("abcd") for _ in range(grid.count)]
    asyncio.run(exchange_all(staged(BRANCHED, grid, ["coarse", "fine"], ["last"]), workers, chance.shuffle))


async def test_a_part_that_comes_later_is_waited_for():
    work, workers = rows(2), ["a", "b"]
    cables, whole = Cables(*workers), maps_at(work, 0)
    top, bottom = (part(whole, work.stages[0][tile].outputs) for tile in (0, 1))
    waiting = asyncio.create_task(cables["b"].gather_maps(work, shared_tile(work, 1, workers), 0, bottom))
    await settled()
    assert not waiting.done()
    await cables["a"].send_borders(work, shared_tile(work, 0, workers), 0, top)
    cables.deliver()
    assert_read(work, 0, 1, whole, await waiting)


async def test_a_part_that_comes_before_its_reader_is_kept_for_it():
    work, workers = rows(2), ["a", "b"]
    cables, whole = Cables(*workers), maps_at(work, 0)
    top, bottom = (part(whole, work.stages[0][tile].outputs) for tile in (0, 1))
    await cables["a"].send_borders(work, shared_tile(work, 0, workers), 0, top)
    cables.deliver()
    assert_read(work, 0, 1, whole, await cables["b"].gather_maps(work, shared_tile(work, 1, workers), 0, bottom))


async def test_only_neighbours_get_something_and_only_what_they_need():
    work, workers = rows(4), list("abcd")
    cables, whole = Cables(*workers), maps_at(work, 0)
    await cables["b"].send_borders(work, shared_tile(work, 1, workers), 0, part(whole, work.stages[0][1].outputs))
    sent = {header.reader: (address.port, payload.size) for address, header, payload in cables.sent}
    below = work.stages[0][1].outputs[0].overlap(work.stages[1][2].inputs[0])
    assert set(sent) == {2}  # a stride of two looks at a row above, and at none below
    assert sent[2] == (port_of("c"), 4 * 4 * below.area)
    assert below.height == 1


async def test_what_stays_on_a_node_crosses_no_cable():
    work = rows(3)
    workers = ["a", "a", "b"]
    cables, whole = Cables("a", "b"), maps_at(work, 0)
    made = [part(whole, work.stages[0][tile].outputs) for tile in range(3)]
    await cables["a"].send_borders(work, shared_tile(work, 0, workers), 0, made[0])
    assert cables.sent == []
    assert_read(
        work, 0, 1, whole, await cables["a"].gather_maps(work, shared_tile(work, 1, workers), 0, made[1])
    )  # fmt: skip


async def test_a_part_says_what_it_is_a_part_of():
    work, workers = rows(2), ["a", "b"]
    cables, whole = Cables(*workers), maps_at(work, 1)
    made = part(whole, work.stages[1][0].outputs)
    await cables["a"].send_borders(work, shared_tile(work, 0, workers, attempt=3), 1, made)
    ((_, header, _),) = cables.sent
    assert header == BorderHeader(frame="f", epoch=7, giver=0, reader=1, stage=1, attempt=3)


async def test_a_worker_that_listens_on_another_host_is_reached_there():
    work, workers = rows(2), ["a", "b"]
    cables, whole = Cables(*workers), maps_at(work, 0)
    header = shared_tile(work, 0, workers)
    elsewhere = header.workers[1].model_copy(update={"host": "10.0.0.7"})
    header = header.model_copy(update={"workers": (header.workers[0], elsewhere)})
    await cables["a"].send_borders(work, header, 0, part(whole, work.stages[0][0].outputs))
    assert [address for address, _, _ in cables.sent] == [Address("10.0.0.7", port_of("b"))]


async def test_a_neighbour_that_hands_on_nothing_is_given_up_by_name():
    work, workers = rows(2, deadline_s=0.01), ["a", "b"]
    cables, whole = Cables(*workers), maps_at(work, 0)
    with pytest.raises(PeerTimeoutError, match="f: tile 0 did not send its part of stage 0 to tile 1"):
        await cables["b"].gather_maps(
            work, shared_tile(work, 1, workers), 0, part(whole, work.stages[0][1].outputs)
        )  # fmt: skip


async def test_what_belongs_to_another_attempt_frame_or_stage_is_not_used():
    work, workers = rows(2, deadline_s=0.01), ["a", "b"]
    cables, whole = Cables(*workers), maps_at(work, 0)
    top, bottom = (part(whole, work.stages[0][tile].outputs) for tile in (0, 1))
    await cables["a"].send_borders(work, shared_tile(work, 0, workers, attempt=0), 0, top)
    await cables["a"].send_borders(work, shared_tile(work, 0, workers, frame="g", attempt=1), 0, top)
    await cables["a"].send_borders(
        work, shared_tile(work, 0, workers, attempt=1), 1, part(whole, work.stages[1][0].outputs)
    )
    cables.deliver()
    with pytest.raises(PeerTimeoutError):
        await cables["b"].gather_maps(work, shared_tile(work, 1, workers, attempt=1), 0, bottom)


async def test_the_first_of_two_parts_for_one_place_is_used():
    work, workers = rows(2), ["a", "b"]
    cables, whole = Cables(*workers), maps_at(work, 0)
    top, bottom = (part(whole, work.stages[0][tile].outputs) for tile in (0, 1))
    await cables["a"].send_borders(work, shared_tile(work, 0, workers), 0, top)
    cables.deliver()
    await cables["a"].send_borders(work, shared_tile(work, 0, workers), 0, [array + 1 for array in top])
    cables.deliver()
    assert_read(work, 0, 1, whole, await cables["b"].gather_maps(work, shared_tile(work, 1, workers), 0, bottom))


async def test_maps_in_half_precision_take_half_of_the_bytes_and_arrive_rounded():
    exact, half = rows(2), rows(2, maps="float16")
    size = {}
    for work in (exact, half):
        cables, whole = Cables("a", "b"), maps_at(work, 0)
        top, bottom = (part(whole, work.stages[0][tile].outputs) for tile in (0, 1))
        await cables["a"].send_borders(work, shared_tile(work, 0, ["a", "b"]), 0, top)
        size[work.plan.maps] = sum(payload.size for _, _, payload in cables.sent)
        cables.deliver()
        taken = await cables["b"].gather_maps(work, shared_tile(work, 1, ["a", "b"]), 0, bottom)
    assert size["float16"] == size["float32"] / 2
    for got, expected in zip(taken, part(whole, work.stages[1][1].inputs), strict=True):
        assert 0 < np.abs(got - expected).max() < 2**-8
        np.testing.assert_array_equal(got[:, :, 1:], expected[:, :, 1:])  # its own rows were never sent


async def test_two_tiles_on_one_node_read_the_same_values_as_on_two():
    taken = []
    for workers in (["a", "a"], ["a", "b"]):
        work, cables = rows(2, maps="float16"), Cables(*dict.fromkeys(workers))
        whole = maps_at(work, 0)
        top, bottom = (part(whole, work.stages[0][tile].outputs) for tile in (0, 1))
        await cables["a"].send_borders(work, shared_tile(work, 0, workers), 0, top)
        cables.deliver()
        taken.append(await cables[workers[1]].gather_maps(work, shared_tile(work, 1, workers), 0, bottom))
    for one, other in zip(*taken, strict=True):
        np.testing.assert_array_equal(one, other)


async def test_a_part_that_is_cut_off_within_a_value_is_refused_at_once():
    work, cables = rows(2), Cables("a", "b")
    top = part(maps_at(work, 0), work.stages[0][0].outputs)
    await cables["a"].send_borders(work, shared_tile(work, 0, ["a", "b"]), 0, top)
    ((_, header, payload),) = cables.sent
    with pytest.raises(ProtocolError, match="no whole number of values"):
        cables["b"].on_border(header, payload[:-1])


@pytest.mark.parametrize("change", [lambda data: data[:-4], lambda data: np.append(data, data[:4])])
async def test_a_part_that_is_not_as_planned_is_refused(change):
    work, workers = rows(2), ["a", "b"]
    cables, whole = Cables(*workers), maps_at(work, 0)
    top, bottom = (part(whole, work.stages[0][tile].outputs) for tile in (0, 1))
    await cables["a"].send_borders(work, shared_tile(work, 0, workers), 0, top)
    ((_, header, payload),) = cables.sent
    cables["b"].on_border(header, change(payload))
    with pytest.raises(ValueError, match=r"sent .* values instead of"):
        await cables["b"].gather_maps(work, shared_tile(work, 1, workers), 0, bottom)


async def test_who_waits_for_a_frame_that_is_dropped_is_woken():
    work, workers = rows(2), ["a", "b"]
    cables, whole = Cables(*workers), maps_at(work, 0)
    bottom = part(whole, work.stages[0][1].outputs)
    waiting = asyncio.create_task(cables["b"].gather_maps(work, shared_tile(work, 1, workers), 0, bottom))
    await settled()
    cables["b"].drop_attempt("f", 0)
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_parts_of_a_frame_that_was_dropped_are_forgotten():
    work, workers = rows(2, deadline_s=0.01), ["a", "b"]
    cables, whole = Cables(*workers), maps_at(work, 0)
    top, bottom = (part(whole, work.stages[0][tile].outputs) for tile in (0, 1))
    await cables["a"].send_borders(work, shared_tile(work, 0, workers), 0, top)
    cables.deliver()
    cables["b"].drop_attempt("f", 0)
    cables["b"].drop_attempt("never-heard-of", 0)
    with pytest.raises(PeerTimeoutError):
        await cables["b"].gather_maps(work, shared_tile(work, 1, workers), 0, bottom)


async def test_parts_of_a_later_attempt_outlive_the_end_of_an_earlier_one():
    work, workers = rows(2), ["a", "b"]
    cables, whole = Cables(*workers), maps_at(work, 0)
    top, bottom = (part(whole, work.stages[0][tile].outputs) for tile in (0, 1))
    await cables["a"].send_borders(work, shared_tile(work, 0, workers, attempt=1), 0, top)
    cables.deliver()
    cables["b"].drop_attempt("f", 0)
    again = shared_tile(work, 1, workers, attempt=1)
    assert_read(work, 0, 1, whole, await cables["b"].gather_maps(work, again, 0, bottom))


async def test_parts_of_frames_without_end_push_out_the_oldest():
    work, workers = rows(2, deadline_s=0.01), ["a", "b"]
    cables, whole = Cables(*workers), maps_at(work, 0)
    top, bottom = (part(whole, work.stages[0][tile].outputs) for tile in (0, 1))
    for number in range(MAX_BORDER_FRAMES + 1):
        await cables["a"].send_borders(work, shared_tile(work, 0, workers, frame=f"f-{number}"), 0, top)
    cables.deliver(list.reverse)
    assert len(cables["b"]._frames) == MAX_BORDER_FRAMES
    with pytest.raises(PeerTimeoutError):
        await cables["b"].gather_maps(work, shared_tile(work, 1, workers, frame="f-0"), 0, bottom)
    newest = shared_tile(work, 1, workers, frame=f"f-{MAX_BORDER_FRAMES}")
    assert_read(work, 0, 1, whole, await cables["b"].gather_maps(work, newest, 0, bottom))


async def test_what_was_taken_is_not_kept_any_longer():
    work, workers = rows(2), ["a", "b"]
    cables, whole = Cables(*workers), maps_at(work, 0)
    top, bottom = (part(whole, work.stages[0][tile].outputs) for tile in (0, 1))
    await cables["a"].send_borders(work, shared_tile(work, 0, workers), 0, top)
    cables.deliver()
    await cables["b"].gather_maps(work, shared_tile(work, 1, workers), 0, bottom)
    assert not any(cables["b"]._frames.values())


async def test_sixteen_devices_pass_rows_through_all_layers():
    work = rows(12, [1 + random.Random(1).random() for _ in range(12)])
    await exchange_all(work, [f"node-{number}" for number in range(12)])


@pytest.mark.parametrize("value", [np.nan, -np.inf])
async def test_a_part_that_is_no_number_is_refused_and_its_giver_named(value):
    work, workers = rows(2), ["a", "b"]
    cables, whole = Cables(*workers), maps_at(work, 0)
    top, bottom = (part(whole, work.stages[0][tile].outputs) for tile in (0, 1))
    top[0][...] = value
    await cables["a"].send_borders(work, shared_tile(work, 0, workers), 0, top)
    cables.deliver()
    with pytest.raises(InvalidBorderError, match="tile 0 sent values that are not finite") as refused:
        await cables["b"].gather_maps(work, shared_tile(work, 1, workers), 0, bottom)
    assert refused.value.giver == 0


async def test_a_neighbour_that_sends_without_end_does_not_fill_the_memory(monkeypatch):
    monkeypatch.setattr(border_exchange, "MAX_BORDER_BYTES", 1000)
    exchange = BorderExchange("a", BROKER, None)
    for number in range(50):
        exchange.on_border(BorderHeader(frame=f"front-{number}", epoch=1, giver=0, reader=1), np.zeros(100, np.uint8))
        assert exchange._kept_bytes() <= 1000
    assert list(exchange._frames) == [f"front-{number}" for number in range(40, 50)], "the newest are here"
