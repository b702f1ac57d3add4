from __future__ import annotations

import pytest

from edge.work import Work
from gateway.partitioned import PartitionedModel
from gateway.planner import Terms, write_plan
from shared.addresses import Address
from shared.engine.sessions import PaddingEngine
from shared.ftp.grid import Grid
from shared.messages import ProgramRef


@pytest.fixture
def partitioned(nanodet):
    return PartitionedModel.of(nanodet, Grid(2, 2))


@pytest.fixture
def plan(partitioned):
    reference = ProgramRef(sha256=partitioned.program_sha256, bytes=len(partitioned.program))
    network, spec = partitioned.model.network, partitioned.spec
    return write_plan(network, spec.preprocessing, partitioned.stage, reference, 7, Address("", 4000), Terms())


def test_the_plan_tells_an_edge_what_every_tile_reads_and_how_it_is_padded(partitioned, plan):
    work = Work(plan, PaddingEngine(partitioned.program), Address("gateway", 4000))
    assert (work.epoch, work.tile_count) == (7, 4)
    for tile in partitioned.stage.tiles:
        assert work.region(tile.index) == tile.input
        assert work.pads(tile.index) == tile.pads
