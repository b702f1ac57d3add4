from __future__ import annotations

import math
from itertools import combinations

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gateway.planning.methods import chained_stages
from gateway.planning.plan_prediction import costs_of_stages
from gateway.planning.stage_choice import USUAL_TERMS, StageTerms, choose_stages, stage_ways
from shared.errors import ConfigurationError, CutError
from shared.ftp.cuts import layer_cuts
from shared.ftp.grid import Grid
from shared.ftp.macs import macs_of
from shared.ftp.tiles import partition
from shared.model.loading import describe_network
from tests.extent import examples
from tests.networks import ModelBuilder, yolov2_first_16
from tests.unit.gateway.planning.plain_costs import cuts_up_to, plain_costs
from tests.unit.random_networks import tiling_cases

FREE = StageTerms(bytes_per_s=math.inf, exchange_s=0.0, exchange_cost=0.0)
NEVER = StageTerms(exchange_s=1e6)


@pytest.fixture(scope="module")
def yolov2():
    return describe_network(yolov2_first_16(608), "yolov2")


@pytest.fixture(scope="module")
def chain():
    """Five layers of different widths that each look at their neighbours, the last three on smaller maps."""
    build = ModelBuilder(48, 40)
    tensor = build.conv("image", 4, 3, name="conv_0", pads=[1] * 4)
    tensor = build.conv(tensor, 8, 5, name="conv_1", pads=[2] * 4)
    tensor = build.layer("MaxPool", tensor, name="pool", kernel_shape=[2, 2], strides=[2, 2])
    for number, filters in ((2, 2), (3, 16)):
        tensor = build.conv(tensor, filters, 3, name=f"conv_{number}", pads=[1] * 4)
    return build.network(tensor)


LAST = ["conv_3"]


def work(network, cuts, grid):
    """The operations of all tiles of all stages, relative to the network's."""
    before = [(), *cuts[:-1]]
    stages = [partition(network, cut, grid, after=after) for after, cut in zip(before, cuts, strict=True)]
    return sum(tile.macs for stage in stages for tile in stage.tiles) / macs_of(network, network.layers)


def predicted_s(network, cuts, grid, terms):
    """Seconds of a frame in these stages, from the stages themselves, as edges would run them."""
    total, made = 0.0, None
    for after, cut in zip([(), *cuts[:-1]], cuts, strict=True):
        stage = partition(network, cut, grid, after=after)
        total += max(costs_of_stages(network, [stage]).tiles[0]) / terms.macs_per_s
        if made is not None:
            received = max(
                sum(
                    4 * network.shapes[name][1] * (region.area - region.overlap(own).area)
                    for name, region, own in zip(after, tile.inputs, made.tiles[tile.index].outputs, strict=True)
                )
                for tile in stage.tiles
            )
            total += terms.exchange_cost / terms.macs_per_s + terms.exchange_s + received / terms.bytes_per_s
        made = stage
    return total


def plain_ways(network, cut, grid, shares, terms):
    """By cut, the seconds of the fastest stages up to it, from the stages between all pairs of cuts."""
    mean = sum(shares) / len(shares) if shares else 1.0
    speeds = [terms.macs_per_s * share / mean for share in shares or [1.0] * grid.count]
    ends = []
    for behind, maps in enumerate(cuts_up_to(network, cut, grid)):
        found = [_stage_s(network, None, maps, grid, shares, speeds, terms)]
        for after in range(behind):
            before, end_s = ends[after]
            found.append(end_s + _stage_s(network, before, maps, grid, shares, speeds, terms))
        ends.append((maps, min(found)))
    return ends


def _stage_s(network, before, maps, grid, shares, speeds, terms):
    """Seconds of the slowest tile of a stage, and of its exchange."""
    *earlier, stage = chained_stages(network, [before, maps] if before else [maps], grid, shares)
    (tiles,) = plain_costs(network, [stage]).tiles
    seconds = max(tile / speed for tile, speed in zip(tiles, speeds, strict=True))
    if not earlier:
        return seconds
    strips = plain_costs(network, [*earlier, stage]).strips[1]
    taken = [sum(count for (_, taker), count in strips.items() if taker == tile) for tile in range(grid.count)]
    exchanging_s = terms.exchange_cost / min(speeds) + terms.exchange_s
    return seconds + exchanging_s + max(taken) / terms.bytes_per_s


def test_where_exchanging_is_free_no_layers_are_fused(chain):
    cuts = choose_stages(chain, LAST, Grid(4, 1), terms=FREE)
    assert work(chain, cuts, Grid(4, 1)) == 1
    assert set(cuts) <= set(layer_cuts(chain, LAST))


def test_where_exchanging_never_pays_all_layers_are(chain):
    assert choose_stages(chain, LAST, Grid(4, 1), terms=NEVER) == (tuple(LAST),)


def test_a_single_tile_has_nothing_to_exchange(chain):
    assert choose_stages(chain, LAST, Grid(1, 1)) == (tuple(LAST),)


@pytest.mark.parametrize("grid", [Grid(6, 1), Grid(2, 3)], ids=str)
def test_of_small_computers_the_layers_that_the_paper_fuses_are_exchanged_seldom_and_hardly_computed_twice(
    yolov2, grid
):
    cuts = choose_stages(yolov2, ["layer_15"], grid)
    assert 2 <= len(cuts) <= 8
    once = work(yolov2, [("layer_15",)], grid)
    assert work(yolov2, cuts, grid) - 1 < (once - 1) / 2


@settings(max_examples=examples(30))
@given(
    macs_per_s=st.floats(1e5, 1e12), bytes_per_s=st.floats(1e3, 1e10), exchange_s=st.floats(0, 1),
    exchange_cost=st.floats(0, 1e6),
    grid=st.sampled_from([Grid(3, 1), Grid(1, 4), Grid(2, 2), Grid(6, 1)]),
)  # fmt: skip
def test_no_other_stages_are_predicted_to_be_faster(
    chain, macs_per_s, bytes_per_s, exchange_s, exchange_cost, grid
):  # fmt: skip
    terms = StageTerms(macs_per_s, bytes_per_s, exchange_s, exchange_cost)
    *inner, last = layer_cuts(chain, LAST)
    ways = [(*some, last) for count in range(len(inner) + 1) for some in combinations(inner, count)]
    found = predicted_s(chain, choose_stages(chain, LAST, grid, terms=terms), grid, terms)
    assert found == pytest.approx(min(predicted_s(chain, way, grid, terms) for way in ways))


@settings(max_examples=examples(40), deadline=None)
@given(
    case=tiling_cases(), data=st.data(),
    terms=st.builds(StageTerms, st.floats(1e4, 1e9), st.floats(1e3, 1e8), st.floats(1e-6, 0.1), st.floats(0, 1e5)),
)  # fmt: skip
def test_whatever_the_network_stages_are_as_fast_as_the_fastest_of_all_between_its_cuts(case, data, terms):
    network = describe_network(case.model, "random")
    assume(case.grid.count <= 9 and _has_cuts(network, case.cut))
    shares = data.draw(st.one_of(st.just(()), st.tuples(*[st.floats(0.1, 5)] * case.grid.count)))
    expected = plain_ways(network, case.cut, case.grid, shares, terms)
    found = stage_ways(network, case.cut, case.grid, shares, terms)
    assert [way.cuts[-1] for way in found] == [maps for maps, _ in expected]
    assert [way.seconds for way in found] == pytest.approx([seconds for _, seconds in expected], rel=1e-9)


def _has_cuts(network, cut):
    try:
        return bool(layer_cuts(network, cut))
    except CutError:
        return False


def test_a_network_with_branches_is_exchanged_behind_maps_that_all_layers_after_them_read(nanodet):
    network, cut = nanodet.network, nanodet.spec.cut
    cuts = choose_stages(network, cut, Grid(3, 1), terms=FREE)
    assert len(cuts) > 2
    for after, behind in zip([(), *cuts[:-1]], cuts, strict=True):
        assert partition(network, behind, Grid(3, 1), after=after).inputs == (after or (network.input,))


def test_maps_smaller_than_the_grid_are_not_exchanged():
    build = ModelBuilder(16, 16)
    tensor = build.conv("image", 4, 3, name="wide", pads=[1] * 4)
    tensor = build.layer("MaxPool", tensor, name="narrow", kernel_shape=[8, 8], strides=[8, 8])
    network = build.network(build.conv(tensor, 4, 1, name="behind"))
    with pytest.raises(ConfigurationError, match="larger than the map"):
        choose_stages(network, ["behind"], Grid(4, 1), terms=FREE)
    assert choose_stages(network, ["wide"], Grid(4, 1), terms=FREE) == (("wide",),)


def test_slow_devices_with_few_rows_are_not_waited_for(chain):
    shares = (1.0, 4.0, 4.0, 0.0)
    assert choose_stages(chain, LAST, Grid(4, 1), shares, NEVER) == (tuple(LAST),)
    assert len(choose_stages(chain, LAST, Grid(4, 1), shares, FREE)) > 1


@pytest.mark.parametrize("shares", [(1.0,), (1.0, 1.0, 1.0), (0.0, 0.0)])
def test_shares_that_do_not_fit_the_grid_are_refused(chain, shares):
    with pytest.raises(ConfigurationError, match="do not fit grid 2x1"):
        choose_stages(chain, LAST, Grid(2, 1), shares)


def test_a_cut_that_is_none_is_refused(chain):
    with pytest.raises(CutError):
        choose_stages(chain, ["nowhere"], Grid(2, 1), terms=USUAL_TERMS)


def test_a_cut_behind_a_layer_that_cannot_be_tiled_is_refused_with_the_layer():
    build = ModelBuilder(16, 16)
    mean = build.layer("GlobalAveragePool", build.conv("image", 4, 3, pads=[1] * 4), name="mean")
    network = build.network(build.conv(mean, 4, 1, name="behind"))
    with pytest.raises(CutError, match="layer mean"):
        choose_stages(network, ["behind"], Grid(1, 1))
