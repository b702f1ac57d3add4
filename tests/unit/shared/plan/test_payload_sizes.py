"""The bounds of payloads are those of the messages that the product itself makes by a plan."""

from __future__ import annotations

import numpy as np
import pytest

from edge.computing.border_exchange import BorderExchange
from edge.shared_work import SharedWork
from shared.detection.detections import COLUMNS, MAX_OBJECTS_PER_FRAME
from shared.ftp.grid import Grid
from shared.ftp.tiles import partition
from shared.plan.payload_sizes import largest_border, largest_pixels, largest_result
from shared.wire.camera_headers import FrameHeader, ReadyHeader
from shared.wire.headers import BorderHeader
from tests.networks import ModelBuilder
from tests.unit.edge.works import BROKER, frame_info, plans_of, reusing_work, shared_tile, whole_work, work_of


@pytest.fixture(scope="module")
def network():
    build = ModelBuilder(36, 48)
    first = build.conv("image", 4, 3, name="first", pads=[1] * 4)
    return build.network(build.conv(first, 6, 3, name="second", pads=[1] * 4))


def tiled(network, **options):
    return work_of(network, [partition(network, ["second"], Grid(2, 2))], **options)


def strips_of(tile, joints):
    return sum(
        joints[strip.joint].channels * strip.region.area * np.dtype(joints[strip.joint].dtype).itemsize
        for strip in tile.given
    )


def test_a_result_has_the_bytes_of_its_maps_and_its_strips():
    _, work = reusing_work(Grid(2, 3))
    stage = work.plan.stages[0]
    assert any(work.tile(index).given for index in range(6)), "else no strip would be counted"
    for index in range(6):
        maps = sum(4 * 5 * region.area for region in work.tile(index).outputs)
        forms = [form.to_tile(index) for form in (stage.tiles[index], stage.reusing[index]) if form is not None]
        assert largest_result(work.plan, index) == maps + max(strips_of(each, stage.joints) for each in forms)


@pytest.mark.parametrize("maps", ["float32", "float16"])
def test_all_results_of_a_frame_have_the_bytes_of_its_maps(network, maps):
    work = tiled(network, maps=maps)
    assert sum(largest_result(work.plan, tile) for tile in range(4)) == work.result_bytes
    assert work.result_bytes == 6 * 36 * 48 * np.dtype(maps).itemsize


def test_a_whole_frame_has_the_bytes_of_as_many_objects_as_are_taken():
    assert largest_result(whole_work().plan, 0) == 4 * COLUMNS * MAX_OBJECTS_PER_FRAME


@pytest.mark.parametrize("pixels", ["uint8", "float32"])
def test_pixels_have_the_bytes_of_a_tile_as_it_is_sent(network, pixels):
    work = tiled(network, pixels=pixels)
    view = np.zeros((36, 48, 3), np.uint8)
    sent = [
        work.encode_tile("owner", frame_info(), tile, view[tile.inputs[0].slices], bars=True)[1].nbytes
        for tile in work.stages[0]
    ]
    assert [largest_pixels(work.plan, tile) for tile in range(4)] == sent
    assert largest_pixels(work.plan) == max(sent)


def test_a_tile_that_the_plan_does_not_have_has_no_bytes(network):
    plan = tiled(network).plan
    assert (largest_result(plan, 4), largest_pixels(plan, 4), largest_border(plan, 0, 4)) == (0, 0, 0)
    assert largest_border(plan, 1, 0) == 0


def test_an_edge_takes_what_its_plans_explain_and_drops_what_belongs_to_no_plan(network):
    work = tiled(network)
    shared = SharedWork(plans_of(work), None, BorderExchange("porch", BROKER, None))
    tile = shared_tile(work, 1)
    assert shared.bound_of(tile) == largest_pixels(work.plan, 1)
    assert shared.bound_of(tile.model_copy(update={"epoch": 99})) is None
    border = BorderHeader(frame="f-1", epoch=work.epoch, giver=2, reader=0)
    assert shared.bound_of(border) == largest_border(work.plan, 0, 2)
    assert shared.bound_of(border.model_copy(update={"epoch": 99})) is None
    assert shared.bound_of(FrameHeader(info=frame_info())) == 3 * 36 * 48
    assert shared.bound_of(ReadyHeader()) == 0
