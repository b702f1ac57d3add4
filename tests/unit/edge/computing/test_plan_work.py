from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.computing.plan_work import PlanWork
from edge.tasks.tile_order import TileOrder
from gateway.planning.methods import Method, stages_of
from shared.ftp.grid import Grid
from shared.model.letterbox import Letterbox
from shared.model.spec import Preprocessing
from shared.wire.headers import TileHeader
from tests.unit.edge.tile_orders import CROSS
from tests.unit.edge.works import GATEWAY, as_received, frame_info, reusing_work, work_of

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


@st.composite
def letterboxed_frames(draw):
    """Work of any grid, pixels and preprocessing, with a frame of any size in its input."""
    grid = Grid(draw(st.integers(1, 4)), draw(st.integers(1, 4)))
    (stage,) = stages_of(Method.WST, NETWORK, ["conv_2"], grid)
    preprocessing = Preprocessing(
        channels=draw(st.sampled_from(["bgr", "rgb"])), fill=draw(st.sampled_from([0, 114, 255])),
        align=draw(st.sampled_from(["centre", "top-left"])),
    )  # fmt: skip
    work = work_of(NETWORK, [stage], pixels=draw(st.sampled_from(["uint8", "float32"])), preprocessing=preprocessing)
    height, width = draw(st.integers(1, 200)), draw(st.integers(1, 200))
    picture = np.random.default_rng(draw(st.integers(0, 9))).integers(0, 256, (height, width, 3), np.uint8)
    info = frame_info().model_copy(update={"height": height, "width": width})
    return (
        work,
        info,
        Letterbox.for_picture(picture.shape, work.plan.input, preprocessing).apply(picture, preprocessing),
    )


@given(letterboxed_frames())
def test_a_tile_arrives_as_it_was_cut_and_no_bars_are_sent(frame):
    work, info, pixels = frame
    sent_bytes = 0
    for tile in work.stages[0]:
        view = pixels[tile.inputs[0].slices]
        said, sent = work.encode_tile("owner", info, tile, view)
        assert sent.flags.c_contiguous
        received = work.decode_pixels(TileHeader.decode(said.encode()), as_received([sent]))
        assert received.dtype == np.uint8
        assert np.array_equal(received, view)
        sent_bytes += sent.nbytes
    box = Letterbox.for_picture((info.height, info.width), work.plan.input, work.plan.preprocessing)
    if work.tile_count == 1:
        assert sent_bytes == 3 * np.dtype(work.plan.pixels).itemsize * box.size[0] * box.size[1]


def test_a_tile_of_bars_alone_sends_nothing():
    (stage,) = stages_of(Method.WST, NETWORK, ["conv_2"], Grid(3, 1))
    work = work_of(NETWORK, [stage], preprocessing=Preprocessing(fill=114))
    info = frame_info().model_copy(update={"height": 4, "width": 48})
    view = np.full((*work.tile(0).form.sizes[0], 3), 114, np.uint8)
    said, sent = work.encode_tile("owner", info, work.tile(0), view)
    assert sent.nbytes == 0
    assert np.array_equal(work.decode_pixels(said, np.empty(0, np.uint8)), view)


def test_a_tile_with_its_bars_is_understood():
    tile = header(REUSING, 0)
    assert tile.content is None
    assert np.array_equal(REUSING.decode_pixels(tile, pixels_for(tile).ravel()), pixels_for(tile))


@pytest.mark.parametrize("box", [(0, 0, 1000, 1), (0, 0, 1, 1000), (2, 0, 1, 1), (0, 2, 1, 1), (5, 5, 3, 3)])
def test_content_that_is_not_within_the_tile_is_refused(box):
    tile = header(REUSING, 0, content=box)
    size = max(0, (box[2] - box[0]) * (box[3] - box[1]) * 3)
    assert REUSING.decode_pixels(tile, np.zeros(size, np.uint8)) is None


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
