from __future__ import annotations

import pytest

from gateway.planning.methods import Method, stages_of
from gateway.planning.planner import PlanTerms, write_plan
from shared.ftp.costs import working_bytes
from shared.ftp.grid import Grid
from shared.ftp.tiles import partition
from shared.model.loading import describe_network
from shared.network.addresses import Address
from shared.plan.plan import JointPlan, Plan, ProgramRef, TilePlan
from shared.wire.codec import MAX_HEADER_BYTES
from tests.networks import yolov2_first_16

GRIDS = {Method.BODP: [Grid(1, 1), Grid(4, 1), Grid(1, 3)]}
CASES = [
    (method, grid) for method in Method for grid in GRIDS.get(method, [Grid(1, 1), Grid(3, 3), Grid(2, 5)])
]  # fmt: skip

PLAN_CAP_BYTES = 10**5
"""Every edge gets the plan over MQTT, in one message, beside messages of tasks that should not wait."""


def program(number):
    return ProgramRef(sha256=f"{number:064x}", bytes=100 + number)


def plan_of(method, network, preprocessing, stages, terms=None):
    return write_plan(
        method, network, preprocessing, stages, [program(number) for number in range(len(stages))], 7,
        Address("10.0.0.1", 4000), terms or PlanTerms(lease_s=2.0, deadline_s=20.0),
    )  # fmt: skip


@pytest.fixture(params=CASES, ids=lambda case: f"{case[0]}-{case[1]}")
def case(request, nanodet):
    """A method, its stages and its plan."""
    method, grid = request.param
    stages = stages_of(method, nanodet.network, nanodet.spec.cut, grid)
    return method, stages, plan_of(method, nanodet.network, nanodet.spec.preprocessing, stages)


@pytest.fixture(scope="module")
def yolov2():
    """The layers that the paper fuses, at the size that it fuses them."""
    return describe_network(yolov2_first_16(608), "yolov2")


@pytest.fixture
def planned(yolov2, nanodet):
    """The plan of a method for the layers that the paper fuses."""

    def plan(method, grid):
        stages = stages_of(method, yolov2, ["layer_15"], grid)
        return stages, plan_of(method, yolov2, nanodet.spec.preprocessing, stages)

    return plan


def test_the_tiles_of_the_plan_are_the_stages(case):
    _, stages, plan = case
    for stage, message in zip(stages, plan.stages, strict=True):
        assert tuple(tile.to_tile(index) for index, tile in enumerate(message.tiles)) == stage.tiles
        reusing = tuple(tile and tile.to_tile(index) for index, tile in enumerate(message.reusing))
        assert reusing == stage.reusing


def test_a_tile_survives_its_plan(case):
    _, stages, _ = case
    tiles = [tile for stage in stages for tile in (*stage.tiles, *filter(None, stage.reusing))]
    for tile in tiles:
        again = TilePlan.model_validate_json(TilePlan.from_tile(tile).model_dump_json()).to_tile(tile.index)
        assert again == tile
        assert again.form == tile.form


def test_a_plan_says_what_is_computed_and_where_results_go(case, nanodet):
    method, stages, plan = case
    assert (plan.epoch, plan.model, plan.input, plan.cut) == (7, "nanodet-g", (416, 416), stages[-1].cut)
    assert (plan.method, plan.distribution) == (method, method.distribution)
    assert (plan.gateway_host, plan.gateway_port) == ("10.0.0.1", 4000)
    assert (plan.lease_s, plan.deadline_s, plan.pixels) == (2.0, 20.0, "uint8")
    assert plan.preprocessing == nanodet.spec.preprocessing
    assert plan.tile_count == stages[0].grid.count


def test_a_plan_says_of_every_stage_which_program_runs_it_and_what_it_makes(case, nanodet):
    _, stages, plan = case
    network = nanodet.network
    for number, (stage, message) in enumerate(zip(stages, plan.stages, strict=True)):
        assert (message.grid, message.layers, message.program) == (str(stage.grid), len(stage.layers), program(number))
        assert message.channels == tuple(network.shapes[name][1] for name in stage.cut)
        assert message.working_bytes == working_bytes(network, stage)


def test_a_plan_survives_json(case):
    *_, plan = case
    assert Plan.model_validate_json(plan.model_dump_json()) == plan


def test_only_with_reuse_a_plan_has_joints(case):
    method, stages, plan = case
    joints = {joint for message in plan.stages for joint in message.joints}
    assert bool(joints) == (method is Method.WST_S and stages[0].grid.count > 1)


def test_the_pads_of_a_tile_fit_the_cap_of_a_header(case):
    *_, plan = case
    assert max(len(tile.model_dump_json()) for tile in plan.stages[0].tiles) < MAX_HEADER_BYTES / 2


def test_pixels_cross_the_wire_in_the_type_that_the_terms_say(nanodet):
    stage = partition(nanodet.network, nanodet.spec.cut, Grid(2, 2))
    plan = plan_of(Method.WST, nanodet.network, nanodet.spec.preprocessing, [stage], PlanTerms(pixels="float32"))
    assert plan.pixels == "float32"


def test_a_program_for_every_stage_is_needed(nanodet):
    stages = stages_of(Method.BODP, nanodet.network, nanodet.spec.cut, Grid(2, 1))
    assert len(stages) > 1
    with pytest.raises(ValueError, match="shorter"):
        write_plan(
            Method.BODP,
            nanodet.network,
            nanodet.spec.preprocessing,
            stages,
            [program(0)],
            7,
            Address("", 1),
            PlanTerms(),
        )


def test_joints_are_told_with_their_channels(planned):
    stages, plan = planned(Method.WST_S, Grid(3, 3))
    assert len(stages[0].joints) == 7
    assert plan.stages[0].joints == tuple(JointPlan(channels=count) for count in (32, 64, 64, 128, 128, 256, 256))


@pytest.mark.parametrize("grid", [Grid(3, 3), Grid(5, 5)], ids=str)
def test_a_plan_with_reuse_of_the_layers_of_the_paper_is_below_100_kb(planned, grid):
    _, plan = planned(Method.WST_S, grid)
    assert len(plan.model_dump_json()) < PLAN_CAP_BYTES


def test_a_plan_layer_by_layer_for_sixteen_devices_is_below_100_kb(planned):
    stages, plan = planned(Method.BODP, Grid(16, 1))
    assert len(stages) == 16
    assert len(plan.model_dump_json()) < PLAN_CAP_BYTES
