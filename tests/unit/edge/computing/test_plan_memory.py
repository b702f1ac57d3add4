from __future__ import annotations

from types import SimpleNamespace

import pytest

from edge.computing import plan_preparation
from edge.computing.plan_memory import explain_missing, memory_of_plan
from edge.computing.plan_preparation import MEMORY_PERIOD_S, PlanPreparation
from edge.computing.prepared_plans import PreparedPlans
from edge.options import EdgeConfig
from gateway.planning.methods import Method, chained_stages
from shared.errors import ModelError
from shared.ftp.grid import Grid
from shared.network.addresses import Address
from shared.plan.plan import PartRef, PlanOffer, ProgramParts, ProgramRef
from tests.networks import ModelBuilder
from tests.unit.edge.works import FakeEngine, renumbered, whole_work, work_of

MIB = 2**20


def part(number, size):
    return PartRef(sha256=f"{number:064x}", bytes=size)


def program(number, graph, *weights):
    parts = ProgramParts(graph=part(number, graph), weights=weights)
    return ProgramRef(sha256=f"{number:064x}", bytes=graph, parts=parts)


def with_programs(work, *programs):
    stages = tuple(
        stage.model_copy(update={"program": ref}) for stage, ref in zip(work.plan.stages, programs, strict=True)
    )
    return work.plan.model_copy(update={"stages": stages})


def staged():
    build = ModelBuilder(36, 48)
    tensors = [build.conv("image", 4, 3, name="a", pads=[1] * 4)]
    tensors.append(build.conv(tensors[0], 4, 3, name="b", pads=[1] * 4))
    network = build.network(tensors[1])
    return work_of(network, chained_stages(network, [(tensor,) for tensor in tensors], Grid(2, 1)), Method.STAGED)


def test_a_plan_needs_the_maps_of_its_largest_tile_and_all_weights():
    whole = whole_work()
    plan = with_programs(whole, program(1, 100, part(2, 5000), part(3, 700)))
    assert memory_of_plan(plan) == 5800 + whole.plan.stages[0].working_bytes


def test_weights_that_two_stages_have_count_once_and_assigned_tiles_are_fitted_already():
    plan = with_programs(staged(), program(1, 100, part(3, 5000)), program(2, 200, part(3, 5000), part(4, 60)))
    assert memory_of_plan(plan) == 100 + 200 + 5000 + 60


def test_what_is_missing_is_told():
    plan = with_programs(whole_work(), program(1, 0, part(2, 300 * MIB)))
    assert explain_missing(plan, 0) == ""
    assert explain_missing(plan, 400 * MIB) == ""
    assert explain_missing(plan, 100 * MIB).endswith("need 300 MiB, 200 MiB more than this device has for plans")


class Device:
    """A device with so much memory for plans, whose engines compute nothing; `ready` are the plans that it prepared."""

    def __init__(self, monkeypatch, tmp_path, memory_bytes):
        async def get_program(*_):
            return tmp_path / "program"

        async def open_engine(*_, **__):
            return FakeEngine(reuses=False)

        async def measure_speed(*_, **__):
            return 1e9

        monkeypatch.setattr(plan_preparation, "open_engine", open_engine)
        monkeypatch.setattr(plan_preparation, "measure_speed", measure_speed)
        self.prepared = PreparedPlans()
        config = EdgeConfig("small", Address("gateway", 1883), cache=tmp_path)
        self.preparation = PlanPreparation(config, SimpleNamespace(), self.prepared, lambda _: None)
        monkeypatch.setattr(self.preparation, "_programs", SimpleNamespace(get_program=get_program))
        self.preparation.memory = SimpleNamespace(bytes=memory_bytes)

    async def adopt(self, first, *others):
        await self.preparation.adopt(PlanOffer(**dict(first), also=others))
        return self.prepared.epochs


@pytest.fixture
def plans():
    """Whole frames of 300 MiB, and tiles of 20."""
    whole = with_programs(whole_work(epoch=7), program(1, 0, part(2, 300 * MIB)))
    tiles = with_programs(renumbered(staged(), 8), program(3, 0, part(4, 20 * MIB)), program(5, 0))
    return whole, tiles


async def test_a_plan_that_does_not_fit_is_left_to_others(monkeypatch, tmp_path, plans):
    assert await Device(monkeypatch, tmp_path, 0).adopt(*plans) == (7, 8)
    assert await Device(monkeypatch, tmp_path, 400 * MIB).adopt(*plans) == (7, 8)
    assert await Device(monkeypatch, tmp_path, 100 * MIB).adopt(*plans) == (8,)


async def test_a_device_that_can_hold_no_plan_says_so(monkeypatch, tmp_path, plans):
    device = Device(monkeypatch, tmp_path, 10 * MIB)
    with pytest.raises(ModelError, match="10 MiB more than this device has for plans"):
        await device.adopt(*plans)
    assert device.prepared.epochs == ()


def test_the_memory_is_read_now_and_then(monkeypatch, tmp_path):
    device = Device(monkeypatch, tmp_path, 100)
    assert device.preparation.memory_bytes(50.0) == 100
    device.preparation.memory = SimpleNamespace(bytes=90)
    assert device.preparation.memory_bytes(50.0 + MEMORY_PERIOD_S - 0.1) == 100
    assert device.preparation.memory_bytes(50.0 + MEMORY_PERIOD_S) == 90


async def test_a_plan_that_was_prepared_stays_when_memory_becomes_less(monkeypatch, tmp_path, plans):
    device = Device(monkeypatch, tmp_path, 400 * MIB)
    await device.adopt(*plans)
    device.preparation.memory = SimpleNamespace(bytes=100 * MIB)
    assert await device.adopt(*plans) == (7, 8)
