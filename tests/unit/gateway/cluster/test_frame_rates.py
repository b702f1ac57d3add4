from __future__ import annotations

import pytest

from gateway.cluster.frame_rates import add_frame_rates, relative_work
from gateway.planning.methods import Method, stages_of
from shared.ftp.grid import Grid
from shared.ftp.macs import macs_of
from shared.ftp.tiles import whole_stage
from shared.payloads.cluster import NodeReport, Nodes, State
from tests.networks import ModelBuilder

ONLINE = NodeReport(state=State.ONLINE, address="", version="1.0")


def network_of(side=96):
    """A few layers, so that tiles have halos, and a small tail."""
    build = ModelBuilder(side, side)
    tensor = "image"
    for number in range(3):
        tensor = build.conv(tensor, 4, 3, name=f"conv_{number}", pads=[1] * 4)
    return build.network(build.conv(tensor, 2, 1, name="tail"))


NETWORK = network_of()


def rates(macs=1000, speeds=None, **nodes):
    report = add_frame_rates(Nodes(nodes=nodes), macs, (speeds or {}).get)
    return {name: node.computable_per_s for name, node in report.nodes.items()}


def test_a_rate_is_the_speed_of_all_lanes_by_the_work_of_a_frame():
    two = ONLINE.model_copy(update={"lanes": 2})
    assert rates(speeds={"a": 8200.0, "b": 8200.0}, a=ONLINE, b=two) == {"a": 8.2, "b": 16.4}


def test_what_is_not_measured_has_no_rate():
    gone = ONLINE.model_copy(update={"state": State.OFFLINE})
    assert rates(speeds={"gone": 100.0}, a=ONLINE, gone=gone) == {"a": None, "gone": None}
    assert rates(macs=0, speeds={"a": 100.0}, a=ONLINE) == {"a": None}


def test_a_rate_is_short_enough_to_be_the_same_for_a_while():
    assert rates(speeds={"a": 8_234_567.0}, a=ONLINE) == {"a": 8230.0}


def test_a_whole_network_is_once_its_work():
    stage = whole_stage(NETWORK)
    assert stage.tiles[0].macs == macs_of(NETWORK, NETWORK.layers)
    assert relative_work([stage], NETWORK) == 1.0


@pytest.mark.parametrize("method", [Method.WST, Method.WST_S])
def test_tiles_are_more_work_by_their_halos_and_the_tail_counts_once(method):
    tiles = relative_work(stages_of(method, NETWORK, ["conv_2"], Grid(3, 3)), NETWORK)
    one = relative_work(stages_of(Method.WST, NETWORK, ["conv_2"], Grid(1, 1)), NETWORK)
    assert one == 1.0
    assert 1.0 <= tiles < 1.3
    assert (tiles > 1.05) is (method is Method.WST)


def test_the_rate_of_now_is_beside_that_of_when_a_node_joined():
    nodes = Nodes(nodes={"hot": ONLINE.model_copy(update={"lanes": 2}), "new": ONLINE})
    report = add_frame_rates(nodes, 1000, {"hot": 3000.0}.get, {"hot": 5000.0, "new": 700.0}.get).nodes
    assert (report["hot"].computable_per_s, report["hot"].profile_per_s) == (6.0, 10.0)
    assert (report["new"].computable_per_s, report["new"].profile_per_s) == (None, 0.7)
