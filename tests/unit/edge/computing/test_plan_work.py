from __future__ import annotations

import numpy as np
import pytest

from edge.computing.plan_work import PlanWork
from edge.tasks.tile_order import TileOrder
from gateway.planning.methods import Method, stages_of
from shared.ftp.grid import Grid
from shared.wire.headers import TileHeader
from tests.unit.edge.tile_orders import CROSS
from tests.unit.edge.works import GATEWAY, frame_info, reusing_work, work_of

NETWORK, REUSING = reusing_work(Grid(3, 3))
STAGES = stages_of(Method.BODP, NETWORK, ["conv_2"], Grid(2, 1))
LAYERED = work_of(NETWORK, STAGES, Method.BODP)


def header(work, tile, *, reusing=False, **change):
    region = work.tile(tile, reusing=reusing).inputs[0]
    said = {
        "info": frame_info(), "epoch": work.epoch, "owner": "owner", "tile": tile, "height": region.height,
        "width": region.width, "reusing": reusing,
    }  # fmt: skip
    return TileHeader(**{**said, **change})


def pixels_for(tile_header, seed=1):
    size = (tile_header.height, tile_header.width, 3)
    return np.random.default_rng(seed).integers(0, 256, size, np.uint8)


@pytest.mark.parametrize("method", Method)
def test_the_plan_contains_every_tile_of_every_stage(nanodet, method):
    stages = stages_of(method, nanodet.network, nanodet.spec.cut, Grid(4, 1))
    work = work_of(nanodet.network, stages, method)
    assert (work.epoch, work.gateway, work.tile_count) == (7, GATEWAY, 1 if method is Method.WHOLE else 4)
    assert work.stages == tuple(stage.tiles for stage in stages)
    assert [work.tile(index) for index in range(work.tile_count)] == list(stages[0].tiles)


def test_a_tile_that_depends_on_others_is_there_in_two_forms():
    assert REUSING.tile(1).index == REUSING.tile(1, reusing=True).index == 1
    assert REUSING.tile(1, reusing=True).macs < REUSING.tile(1).macs
    assert REUSING.tile(1, reusing=True).taken


def test_a_tile_that_depends_on_nobody_is_never_computed_from_strips():
    with pytest.raises(AssertionError, match="only a tile that depends on others"):
        REUSING.tile(0, reusing=True)


def test_tiles_are_reused_where_plan_and_engine_can_do_it():
    assert REUSING.reuses
    assert not reusing_work(Grid(3, 3), reuses=False)[1].reuses
    assert not LAYERED.reuses
    assert not reusing_work(Grid(1, 1))[1].reuses


def test_the_tile_order_is_that_of_the_stages_tiles():
    tile_order = REUSING.tile_order
    assert tile_order.givers == CROSS.givers
    stage = REUSING.plan.stages[0]
    reusing = [plan and plan.to_tile(index) for index, plan in enumerate(stage.reusing)]
    assert tile_order == TileOrder.of_tiles(
        REUSING.stages[0], reusing, [4 * joint.channels for joint in stage.joints], 3
    )


def test_float_pixels_weigh_four_times_as_much():
    (stage,) = stages_of(Method.WST, NETWORK, ["conv_2"], Grid(2, 2))
    bytes_of = {
        pixels: work_of(NETWORK, [stage], pixels=pixels).tile_order.whole[0].pixel_bytes
        for pixels in ("uint8", "float32")
    }
    assert bytes_of["float32"] == 4 * bytes_of["uint8"] == 12 * stage.tiles[0].inputs[0].area


def test_the_results_of_a_frame_are_the_maps_at_the_last_cut():
    assert REUSING.result_bytes == LAYERED.result_bytes == 4 * np.prod(NETWORK.shapes["conv_2"])


def test_an_engine_must_run_every_kind_of_tile_whole_and_from_strips():
    stage = REUSING.plan.stages[0]
    kinds = PlanWork.tile_kinds(stage)
    forms = [REUSING.tile(index).form for index in range(9)]
    forms += [REUSING.tile(index, reusing=True).form for index in (1, 3, 5, 7)]
    assert set(kinds.kinds) == {form.kind for form in forms}
    assert kinds.working_bytes == stage.working_bytes


def test_the_givers_of_a_tile_are_unique():
    assert [REUSING.givers(index) for index in (1, 3, 5, 7)] == [(0, 2, 4), (0, 4, 6), (2, 4, 8), (4, 6, 8)]


@pytest.mark.parametrize("pixels", ["uint8", "float32"])
def test_pixels_survive_the_wire(pixels):
    (stage,) = stages_of(Method.WST, NETWORK, ["conv_2"], Grid(2, 2))
    work = work_of(NETWORK, [stage], pixels=pixels)
    tile = header(work, 3)
    frame = np.random.default_rng(1).integers(0, 256, (36, 48, 3), np.uint8)
    view = frame[work.tile(3).inputs[0].slices]
    sent = work.encode_pixels(view)
    assert (sent.dtype, sent.flags.c_contiguous) == (np.dtype(pixels), True)
    received = work.decode_pixels(tile, np.frombuffer(sent.tobytes(), np.uint8))
    assert received.dtype == np.uint8
    assert np.array_equal(received, view)


@pytest.mark.parametrize("reusing", [False, True])
def test_a_tile_comes_with_its_halo_or_without(reusing):
    tile = header(REUSING, 1, reusing=reusing)
    pixels = pixels_for(tile)
    assert np.array_equal(REUSING.decode_pixels(tile, pixels.ravel()), pixels)
    assert REUSING.decode_pixels(header(REUSING, 1, reusing=not reusing), pixels.ravel()) is None


@pytest.mark.parametrize(
    "change", [{"epoch": 6}, {"tile": 9}, {"tile": 100}, {"height": 1}, {"width": 1}, {"tile": 0, "reusing": True}]
)
def test_a_tile_that_is_not_of_the_plan_is_refused(change):
    tile = header(REUSING, 0)
    assert REUSING.decode_pixels(tile, pixels_for(tile).ravel()) is not None
    wrong = header(REUSING, 0).model_copy(update=change)
    assert REUSING.decode_pixels(wrong, pixels_for(wrong).ravel()) is None


@pytest.mark.parametrize(
    "change", [lambda data: data[:-1], lambda data: np.append(data, data[:1]), lambda data: data[:0]]
)
def test_pixels_of_another_size_than_the_header_says_are_refused(change):
    tile = header(REUSING, 0)
    assert REUSING.decode_pixels(tile, change(pixels_for(tile).ravel())) is None


def test_a_tile_without_its_halo_is_refused_where_it_cannot_be_computed():
    _, other = reusing_work(Grid(3, 3), reuses=False)
    tile = header(REUSING, 1, reusing=True)
    assert other.decode_pixels(tile, pixels_for(tile).ravel()) is None
    assert LAYERED.decode_pixels(tile, pixels_for(tile).ravel()) is None


def test_strips_come_in_the_order_in_which_the_tile_takes_them():
    taken = [strip for strip in REUSING.tile(1, reusing=True).taken if strip.tile == 4]
    joints = REUSING.plan.stages[0].joints
    values = np.random.default_rng(1)
    strips = [
        values.standard_normal((1, joints[strip.joint].channels, strip.region.height, strip.region.width), np.float32)
        for strip in taken
    ]
    payload = np.frombuffer(b"".join(strip.tobytes() for strip in strips), np.uint8)
    found = REUSING.decode_strips(1, 4, payload)
    assert [array.dtype for array in found] == [np.float32] * len(strips)
    assert all(np.array_equal(one, other) for one, other in zip(found, strips, strict=True))


@pytest.mark.parametrize("change", [-4, -1, 1, 4])
def test_strips_of_another_size_than_planned_are_refused(change):
    joints = REUSING.plan.stages[0].joints
    taken = [strip for strip in REUSING.tile(1, reusing=True).taken if strip.tile == 4]
    planned = sum(4 * joints[strip.joint].channels * strip.region.area for strip in taken)
    assert REUSING.decode_strips(1, 4, np.zeros(planned, np.uint8)) is not None
    assert REUSING.decode_strips(1, 4, np.zeros(planned + change, np.uint8)) is None
