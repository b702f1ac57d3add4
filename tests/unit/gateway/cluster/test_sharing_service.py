from __future__ import annotations

from types import SimpleNamespace

import pytest

from gateway.cluster.sharing_service import SharingService
from shared.wire.connection import WireTraffic

PLAN = SimpleNamespace(epoch=7, tile_count=4, deadline_s=10.0, stages=[None])


def able_nodes(*ready, drained=(), barred=(), made_for=()):
    """The nodes that get tiles of a plan, of those that follow it."""
    members = SimpleNamespace(ready_nodes=lambda _: ready, is_drained=drained.__contains__)
    service = SharingService(members, WireTraffic(), 8, lambda node: node not in barred)
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
