from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from gateway.cluster.sharing_service import SharingService
from shared.network.addresses import Address
from shared.payloads.cluster import NodeState, State
from shared.payloads.versions import PROTOCOL
from shared.plan.plan import Distribution
from shared.wire.headers import TileHeader
from shared.wire.wire_traffic import WireTraffic
from tests.unit.edge.works import frame_info

PLAN = SimpleNamespace(
    epoch=7, tile_count=4, deadline_s=10.0, stages=[None], distribution=Distribution.ASSIGNING
)  # fmt: skip


def able_nodes(*ready, drained=(), barred=(), made_for=()):
    """The nodes that get tiles of a plan, of those that follow it."""
    members = SimpleNamespace(ready_nodes=lambda _: ready, is_drained=drained.__contains__)
    service = SharingService(members, WireTraffic(), 8, lambda *_: True, lambda node: node not in barred)
    service.add_plan(PLAN, made_for)
    return service._able_nodes(service._plans[7])


@pytest.mark.parametrize(
    ("drained", "barred", "able"),
    [
        ((), (), ("a", "b", "c")),
        (("b",), (), ("a", "c")),
        (("b",), ("a",), ("c",)),
        (("b", "c"), ("a",), ("b", "c")),
        (("a", "b", "c"), (), ("a", "b", "c")),
    ],
)
def test_a_drained_node_gets_tiles_only_where_no_other_may_compute(drained, barred, able):
    assert able_nodes("a", "b", "c", drained=drained, barred=barred) == able


def test_the_nodes_that_a_plan_was_made_for_come_in_its_order_unless_they_are_drained():
    assert able_nodes("a", "b", "c", made_for=("c", "a")) == ("c", "a")
    assert able_nodes("a", "b", "c", made_for=("c", "a"), drained=("c",)) == ("a",)
    assert able_nodes("a", "b", "c", made_for=("c", "a"), drained=("a", "c")) == ("b",)


@pytest.mark.parametrize(
    ("speeds", "able"),
    [((1, 1, 1), ("a", "b", "c", "a")), ((1, 2, 1), ("a", "b", "b", "c")), ((2, 2, 0.1), ("a", "a", "b", "b"))],
)
def test_tiles_that_are_computed_together_are_given_to_nodes_by_speed(speeds, able):
    members = SimpleNamespace(ready_nodes=lambda _: ("a", "b", "c"), is_drained=lambda _: False)
    speed_of = dict(zip("abc", speeds, strict=True))
    service = SharingService(
        members, WireTraffic(), 8, lambda *_: True, speeds_of=lambda nodes: [speed_of[node] for node in nodes]
    )
    service.add_plan(
        SimpleNamespace(epoch=7, tile_count=4, deadline_s=10.0, stages=[None] * 2, distribution=Distribution.ASSIGNING)
    )
    assert service._able_nodes(service._plans[7]) == able
    assert set(service._able_nodes(service._plans[7], without="a")) <= {"b", "c"}


class Assigning:
    """A service of three nodes, to which an owner sends headers only; what the owner is told."""

    def __init__(self, stages):
        self.told, self.linked, self.ready = [], True, ("a", "b", "c")
        members = SimpleNamespace(
            ready_nodes=lambda _: self.ready, is_drained=lambda _: False, present=self.ready, online=self.online,
            address=lambda node: Address(node, 5000), last_address=lambda _: None,
        )  # fmt: skip
        self.service = SharingService(members, WireTraffic(), 8, self.assign)
        plan = SimpleNamespace(
            epoch=7, tile_count=2, deadline_s=10.0, stages=[None] * stages, distribution=Distribution.ASSIGNING
        )  # fmt: skip
        self.service.add_plan(plan)

    @staticmethod
    def online(node):
        return NodeState(node=node, state=State.ONLINE, protocol=PROTOCOL, host=node, port=5000)

    def assign(self, owner, header):
        self.told.append((owner, header.tile, header.attempt, [worker.node for worker in header.workers]))
        return self.linked

    def open_frame(self):
        for tile in range(2):
            header = TileHeader(info=frame_info(), epoch=7, owner="pi", tile=tile, height=18, width=48)
            self.service.on_tile(header, np.empty(0, np.uint8))


def test_the_owner_of_tiles_without_pixels_is_told_their_workers():
    bench = Assigning(stages=2)
    bench.open_frame()
    assert bench.told == [("pi", 0, 0, ["a", "b"]), ("pi", 1, 0, ["a", "b"])]


def test_with_one_stage_each_tile_has_a_worker_of_its_own():
    bench = Assigning(stages=1)
    bench.open_frame()
    assert bench.told == [("pi", 0, 0, ["a"]), ("pi", 1, 0, ["b"])]


def test_after_the_loss_of_a_worker_the_owner_is_told_the_others():
    bench = Assigning(stages=2)
    bench.open_frame()
    bench.told.clear()
    bench.ready = ("a", "c")
    bench.service.on_node_lost("b")
    assert bench.told == [("pi", 0, 1, ["a", "c"]), ("pi", 1, 1, ["a", "c"])]


def test_an_owner_without_a_link_is_named(caplog):
    bench = Assigning(stages=1)
    bench.linked = False
    bench.open_frame()
    assert "f tile 1 not assigned: no link to pi" in caplog.text
