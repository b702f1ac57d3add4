"""Plans with a tile for each device, of a gateway with four devices, on a clock of ours."""

from __future__ import annotations

import pytest

from gateway.cluster.plan_changes import CAMERA_LASTS_S, FITTED_LASTS_S
from gateway.planning.methods import Method, stages_of
from tests.settling import until
from tests.unit.gateway.cluster.offered_plans import NETWORK, partition_of
from tests.unit.gateway.cluster.plan_bench import FRAME_S, Bench, changing


class Partitions:
    """Makes partitions of the small network, as PartitionedModel does of a model."""

    def of(self, _model, grid, _cut, method=Method.STAGED, shares=()):
        return self(None, stages_of(method, NETWORK, ("output0",), grid, shares), method)

    def __call__(self, _model, stages, method):
        made = partition_of(b"f", method=method, stages=stages)
        made.cut = stages[-1].cut
        return made


@pytest.fixture
def fitting(monkeypatch):
    monkeypatch.setattr("gateway.cluster.plan_changes.PartitionedModel", Partitions())

    def with_method(method):
        return changing(Bench(monkeypatch, method))

    return with_method


def areas(bench):
    """The cells of each device's tile, in the plan that was served last."""
    _, nodes = bench.served[-1]
    stage = list(bench.plans)[-1].plan.stages[-1]
    return {node: tile.to_tile(0).outputs[0].area for node, tile in zip(nodes, stage.tiles, strict=True)}


async def test_rows_are_served_until_speeds_are_known_and_no_longer(fitting):
    """However equal they are: the next plan waits neither for speeds that differ nor for a minute."""
    async with fitting(Method.STAGED) as bench:
        await until("rows", lambda: bench.served and len(bench.served[-1][1]) == 4)
        assert list(bench.plans)[-1].plan.stages[-1].grid == "4x1"
        bench.seconds = FRAME_S / 20
        await until("tiles", lambda: list(bench.plans)[-1].plan.stages[-1].grid == "2x2")


async def test_a_device_alone_gets_no_other_plan_because_of_its_camera(fitting):
    async with fitting(Method.STAGED) as bench:
        bench.seconds, bench.present, bench.with_cameras = FRAME_S, ("pi-0",), ()
        await until("a plan", lambda: bench.served and bench.served[-1][1] == ("pi-0",))
        count, bench.with_cameras = len(bench.served), ("pi-0",)
        bench.clock.now += CAMERA_LASTS_S + 1
        await bench.pass_time(5)
        assert len(bench.served) == count


async def test_noise_in_measured_speeds_makes_no_other_plan_of_the_same_tiles(fitting, monkeypatch):
    async with fitting(Method.STAGED) as bench:
        bench.seconds = FRAME_S
        await until("tiles", lambda: list(bench.plans)[-1].plan.stages[-1].grid == "2x2")
        count, measured = len(bench.served), bench.speed_of
        monkeypatch.setattr(bench, "speed_of", lambda node: measured(node) * (0.88 if node == "pi-3" else 1.0))
        monkeypatch.setattr(bench, "work_shares", lambda _: (0.3, 0.3, 0.3, 0.1))  # which differ
        bench.clock.now += FITTED_LASTS_S + 1
        await bench.pass_time(5)
        assert len(bench.served) == count


async def test_once_speeds_are_known_stages_are_in_rows_and_columns_and_the_owner_has_the_smallest_tile(fitting):
    async with fitting(Method.STAGED) as bench:
        bench.seconds = FRAME_S / 20  # so fast that a camera's own cost counts
        await until("tiles", lambda: bench.served and len(bench.served[-1][1]) == 4)
        assert list(bench.plans)[-1].plan.stages[-1].grid == "2x2"
        assert min(areas(bench), key=areas(bench).get) == "pi-0"
        count, bench.with_cameras = len(bench.served), ("pi-2",)
        bench.clock.now += FITTED_LASTS_S + 1
        await bench.pass_time(5)
        assert len(bench.served) == count  # that lasts longer
        bench.clock.now += CAMERA_LASTS_S
        await until("tiles for another owner", lambda: len(bench.served) > count)
        assert min(areas(bench), key=areas(bench).get) == "pi-2"


async def test_rows_of_bodp_do_not_follow_the_camera(fitting):
    async with fitting(Method.BODP) as bench:
        bench.seconds = FRAME_S
        await until("rows", lambda: bench.served and len(bench.served[-1][1]) == 4)
        count, bench.with_cameras = len(bench.served), ("pi-2",)
        bench.clock.now += CAMERA_LASTS_S + 1
        await bench.pass_time(5)
        assert len(bench.served) == count
        assert list(bench.plans)[-1].plan.stages[-1].grid == "4x1"


async def test_more_devices_than_rows_are_in_rows_and_columns(fitting):
    async with fitting(Method.STAGED) as bench:
        bench.seconds, bench.present = FRAME_S, tuple(f"pi-{number:02}" for number in range(42))
        await until("tiles", lambda: bench.served and len(bench.served[-1][1]) == 42)
        assert list(bench.plans)[-1].plan.stages[-1].grid == "6x7"


async def test_more_devices_than_rows_end_no_gateway_and_the_plan_of_before_goes_on(fitting, caplog):
    async with fitting(Method.BODP) as bench:
        bench.present = tuple(f"pi-{number:02}" for number in range(37))
        await until("the warning", lambda: "cannot be divided for these devices" in caplog.text)
        assert len(bench.served) == 1
        bench.present = bench.present[:3]
        await until("rows for three", lambda: len(bench.served[-1][1]) == 3)


async def test_stages_that_would_hardly_be_better_replace_none(fitting):
    async with fitting(Method.STAGED) as bench:
        bench.seconds = FRAME_S  # so slow that a camera's own cost is nothing
        await until("tiles", lambda: bench.served and list(bench.plans)[-1].plan.stages[-1].grid == "2x2")
        count, bench.with_cameras = len(bench.served), ("pi-2",)
        bench.clock.now += CAMERA_LASTS_S + 1
        await bench.pass_time(5)
        assert len(bench.served) == count


async def test_a_tile_that_a_device_cannot_hold_any_more_is_replaced_by_a_smaller_one(fitting):
    """However small the gain: the case before, but for the memory."""
    async with fitting(Method.STAGED) as bench:
        bench.seconds = FRAME_S
        await until("tiles", lambda: list(bench.plans)[-1].plan.stages[-1].grid == "2x2" and bench.served[-1][1])
        count, before, costs = len(bench.served), areas(bench)["pi-3"], list(bench.plans)[-1].partitioned.costs
        bench.memory["pi-3"] = costs.weight_bytes + round(0.9 * min(costs.tile_bytes))
        bench.with_cameras = ("pi-2",)
        bench.clock.now += CAMERA_LASTS_S + 1
        await until("smaller tile", lambda: len(bench.served) > count and bench.served[-1][1])
        assert areas(bench)["pi-3"] < before
