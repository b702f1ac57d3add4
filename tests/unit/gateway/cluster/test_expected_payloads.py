from __future__ import annotations

from types import SimpleNamespace

import pytest

from gateway.cluster.expected_payloads import ExpectedPayloads
from gateway.cluster.trust.holders import TileHolders
from shared.ftp.grid import Grid
from shared.plan.payload_sizes import largest_pixels, largest_result
from shared.plan.plan import Distribution
from shared.wire.headers import LinkHeader, ResultHeader
from tests.unit.edge.works import frame_info, reusing_work, shared_tile

WORK = reusing_work(Grid(2, 2))[1]
INFO = frame_info("door-1-1")


class Frames:
    def owner_of(self, frame):
        return {"door-1-1": "porch"}.get(frame)


class Plans:
    def __init__(self, plan):
        self._running = SimpleNamespace(plan=plan, collector=Frames())

    def get(self, epoch):
        return self._running if epoch == self._running.plan.epoch else None


class Members:
    def online(self, name):
        return name if name in {"porch", "hall"} else None


@pytest.fixture
def holders():
    return TileHolders()


def expected(holders, plan=WORK.plan):
    return ExpectedPayloads(Plans(plan), Members(), holders)


def result(worker="porch", **change):
    said = {"info": INFO, "epoch": WORK.epoch, "owner": "porch", "tile": 1, "shapes": (), "compute_ms": 1.0}
    return ResultHeader(**{**said, "worker": worker, **change})


def test_a_result_that_somebody_waits_for_has_the_size_of_its_tile(holders):
    assert expected(holders).bound_of(result()) == largest_result(WORK.plan, 1) > 0
    assert expected(holders).bound_of(result(tile=99)) == 0


def test_a_result_that_nobody_waits_for_is_dropped(holders):
    bound_of = expected(holders).bound_of
    assert bound_of(result(epoch=99)) is None, "of no plan"
    assert bound_of(result("stranger")) is None, "of no edge that is here"
    assert bound_of(result("hall")) is None, "it was given no tile"
    holders.grant("hall", "porch")
    assert bound_of(result("hall")) == largest_result(WORK.plan, 1)


def test_tiles_are_taken_only_where_the_gateway_shares_them_out(holders):
    tile = shared_tile(WORK, 1)
    assert expected(holders).bound_of(tile) is None
    sharing = WORK.plan.model_copy(update={"distribution": Distribution.SHARING})
    assert expected(holders, sharing).bound_of(tile) == largest_pixels(WORK.plan, 1)


def test_other_messages_have_no_payload(holders):
    assert expected(holders).bound_of(LinkHeader(node="porch")) == 0
