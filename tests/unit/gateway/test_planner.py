from __future__ import annotations

import pytest

from gateway.planner import Terms, write_plan
from shared.addresses import Address
from shared.ftp.grid import Grid
from shared.ftp.region import Region
from shared.ftp.tiles import partition
from shared.messages import PlanMessage, ProgramRef
from shared.wire.codec import HEADER_CAP_BYTES

PROGRAM = ProgramRef(sha256="0" * 64, bytes=123)


@pytest.fixture(params=[Grid(1, 1), Grid(3, 3), Grid(2, 5)], ids=str)
def stage(request, nanodet):
    return partition(nanodet.network, nanodet.spec.cut, request.param)


@pytest.fixture
def plan(nanodet, stage):
    terms = Terms(lease_s=2.0, deadline_s=20.0)
    address = Address("10.0.0.1", 4000)
    return write_plan(nanodet.network, nanodet.spec.preprocessing, stage, PROGRAM, 7, address, terms)


def test_the_tiles_of_the_message_are_the_stages(plan, stage):
    (message,) = plan.stages
    assert [
        (Region(*tile.input), tuple(Region(*region) for region in tile.outputs), tile.pads) for tile in message.tiles
    ] == [(tile.input, tile.outputs, tile.pads) for tile in stage.tiles]


def test_a_plan_says_what_is_computed_and_where_results_go(nanodet, plan, stage):
    assert (plan.epoch, plan.model, plan.input, plan.cut) == (7, "nanodet-g", (416, 416), stage.cut)
    assert (plan.gateway_host, plan.gateway_port) == ("10.0.0.1", 4000)
    assert (plan.lease_s, plan.deadline_s) == (2.0, 20.0)
    assert plan.preprocessing == nanodet.spec.preprocessing
    (message,) = plan.stages
    assert (message.grid, message.layers, message.program) == (str(stage.grid), len(stage.layers), PROGRAM)


def test_a_plan_survives_json(plan):
    assert PlanMessage.model_validate_json(plan.model_dump_json()) == plan


def test_the_pads_of_a_tile_fit_the_cap_of_a_header(plan):
    assert max(len(tile.model_dump_json()) for tile in plan.stages[0].tiles) < HEADER_CAP_BYTES / 2
