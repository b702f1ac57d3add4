from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.planning.methods import METHOD_DESCRIPTIONS, Method, stages_of
from shared.errors import ConfigurationError, CutError
from shared.ftp.grid import Grid
from shared.ftp.region import Region
from shared.ftp.reuse import with_reuse
from shared.ftp.tiles import partition
from shared.model.loading import describe_network
from shared.plan.plan import Distribution
from tests.extent import examples
from tests.networks import ModelBuilder, yolov2_first_16

CUT = ["layer_15"]


@pytest.fixture(scope="module")
def yolov2():
    return describe_network(yolov2_first_16(320), "yolov2")


@pytest.fixture(scope="module")
def chain():
    """Three layers that each look at their neighbours, 24 x 30 cells."""
    build = ModelBuilder(24, 30)
    tensor = "image"
    for number in range(3):
        tensor = build.conv(tensor, 4, 3, name=f"conv_{number}", pads=[1] * 4)
    return build.network(tensor)


def heights(stage):
    return [tile.outputs[0].height for tile in stage.tiles]


def test_every_method_has_a_name_and_a_description():
    assert [str(method) for method in Method] == ["auto", "whole", "staged", "bodp", "ftp-wsh", "ftp-wst", "ftp-wst-s"]
    assert len({METHOD_DESCRIPTIONS[method] for method in Method}) == len(Method)


def test_idle_devices_steal_but_where_the_gateway_shares_out():
    sharing = {method for method in Method if method.distribution is Distribution.SHARING}
    assert sharing == {Method.BODP, Method.WSH}
    assert Method.STAGED.distribution is Distribution.ASSIGNING
    stealing = set(Method) - sharing - {Method.STAGED}
    assert all(method.distribution is Distribution.STEALING for method in stealing)
    assert [d for d in Distribution if d.by_gateway] == [Distribution.SHARING, Distribution.ASSIGNING]


@pytest.mark.parametrize("grid", [Grid(3, 3), Grid(1, 1), Grid(5, 5)], ids=str)
def test_a_whole_frame_is_one_tile_whatever_the_grid(yolov2, grid):
    (stage,) = stages_of(Method.WHOLE, yolov2, CUT, grid)
    (tile,) = stage.tiles
    assert (str(stage.grid), tile.inputs) == ("1x1", (Region.whole(320, 320),))
    assert tile.outputs == (Region.whole(*yolov2.shapes["layer_15"][2:]),)


@pytest.mark.parametrize("method", [Method.WSH, Method.WST])
def test_fused_tiles_are_one_stage_balanced_with_their_halos(yolov2, method):
    (stage,) = stages_of(method, yolov2, CUT, Grid(3, 3))
    assert stage == partition(yolov2, CUT, Grid(3, 3), balanced=True)
    assert (len(stage.layers), stage.reusing, stage.joints) == (len(yolov2.layers), (), ())


def test_with_reuse_the_faster_of_two_divisions_hands_on_strips():
    """Balanced in nine tiles, where two to six devices are faster on the whole; even in twenty-five."""
    network = describe_network(yolov2_first_16(608), "yolov2")
    for grid, balanced in ((Grid(3, 3), True), (Grid(5, 5), False)):
        (stage,) = stages_of(Method.WST_S, network, CUT, grid)
        assert stage == with_reuse(network, partition(network, CUT, grid, balanced=balanced))


def test_with_reuse_tiles_depend_on_their_neighbours_in_turn(yolov2):
    (stage,) = stages_of(Method.WST_S, yolov2, CUT, Grid(3, 3))
    assert [tile is None for tile in stage.reusing] == [index % 2 == 0 for index in range(9)]


def test_layer_by_layer_there_is_a_stage_for_every_layer_that_slides_a_kernel(yolov2):
    stages = stages_of(Method.BODP, yolov2, CUT, Grid(4, 1))
    assert len(stages) == 16
    assert sum(len(stage.layers) for stage in stages) == len(yolov2.layers)
    assert {str(stage.grid) for stage in stages} == {"4x1"}
    assert stages[-1].cut == ("layer_15",)


def test_layer_by_layer_every_stage_begins_where_the_one_before_ended(yolov2):
    stages = stages_of(Method.BODP, yolov2, CUT, Grid(4, 1))
    assert stages[0].inputs == ("image",)
    assert [stage.inputs for stage in stages[1:]] == [stage.cut for stage in stages[:-1]]


def test_layer_by_layer_a_tile_needs_but_the_rows_next_to_its_own(chain):
    stages = stages_of(Method.BODP, chain, ["conv_2"], Grid(3, 1))
    for stage in stages:
        assert [tile.outputs[0].sides for tile in stage.tiles] == [(0, 0, 8, 30), (8, 0, 16, 30), (16, 0, 24, 30)]
        assert [tile.inputs[0].sides for tile in stage.tiles] == [(0, 0, 9, 30), (7, 0, 17, 30), (15, 0, 24, 30)]


def test_shares_say_how_many_rows_of_every_map_a_device_has(chain):
    for stage in stages_of(Method.BODP, chain, ["conv_2"], Grid(3, 1), (1, 2, 5)):
        assert heights(stage) == [3, 6, 15]


def test_shares_say_how_many_columns_where_these_are_divided(chain):
    for stage in stages_of(Method.BODP, chain, ["conv_2"], Grid(1, 3), (1, 1, 3)):
        assert [tile.outputs[0].width for tile in stage.tiles] == [6, 6, 18]
        assert {tile.outputs[0].height for tile in stage.tiles} == {24}


def test_without_shares_rows_are_divided_evenly(chain):
    for stage in stages_of(Method.BODP, chain, ["conv_2"], Grid(4, 1)):
        assert heights(stage) == [6, 6, 6, 6]


def test_a_faster_device_computes_more(yolov2):
    stages = stages_of(Method.BODP, yolov2, CUT, Grid(3, 1), (1, 2, 4))
    macs = [sum(stage.tiles[index].macs for stage in stages) for index in range(3)]
    assert macs[0] < macs[1] < macs[2]
    assert macs[2] / sum(macs) == pytest.approx(4 / 7, abs=0.06)


def test_shares_are_for_layer_by_layer_only(yolov2):
    assert stages_of(Method.WST, yolov2, CUT, Grid(3, 1), (1, 2, 3)) == stages_of(Method.WST, yolov2, CUT, Grid(3, 1))


@pytest.mark.parametrize("grid", [Grid(2, 2), Grid(3, 4)], ids=str)
def test_layer_by_layer_rows_and_columns_together_are_refused_with_what_to_write(chain, grid):
    with pytest.raises(ConfigurationError, match=f"not into {grid}; write {grid.count}x1"):
        stages_of(Method.BODP, chain, ["conv_2"], grid)


@pytest.mark.parametrize("shares", [(1.0,), (1, 1), (1, 1, 1, 1)])
def test_another_number_of_shares_than_devices_is_refused(chain, shares):
    with pytest.raises(ConfigurationError, match="do not fit grid 3x1"):
        stages_of(Method.BODP, chain, ["conv_2"], Grid(3, 1), shares)


@pytest.mark.parametrize("method", [Method.STAGED, Method.WSH, Method.WST, Method.WST_S, Method.BODP])
def test_a_grid_larger_than_the_map_is_refused(chain, method):
    with pytest.raises(ConfigurationError, match="larger than the map"):
        stages_of(method, chain, ["conv_2"], Grid(25, 1))


@pytest.mark.parametrize("method", Method)
def test_a_cut_that_is_none_is_refused(chain, method):
    with pytest.raises(CutError):
        stages_of(method, chain, ["nowhere"], Grid(2, 1))


def test_in_stages_faster_devices_have_more_rows_and_a_grid_of_both_axes_is_even(yolov2):
    rows = stages_of(Method.STAGED, yolov2, CUT, Grid(3, 1), (1, 2, 4))
    assert heights(rows[-1]) == [3, 6, 11]
    both = stages_of(Method.STAGED, yolov2, CUT, Grid(2, 2), (1, 2, 4, 8))
    assert both == stages_of(Method.STAGED, yolov2, CUT, Grid(2, 2))
    assert {str(stage.grid) for stage in both} == {"2x2"}


@settings(max_examples=examples(30))
@given(st.sampled_from([Method.BODP, Method.STAGED]), st.integers(1, 6), st.data())
def test_whatever_the_shares_the_stages_tell_where_every_cell_of_every_map_is_made(chain, method, parts, data):
    """And whatever a tile reads of the map before, somebody has made."""
    shares = data.draw(st.just(()) | st.lists(st.floats(0.01, 10), min_size=parts, max_size=parts))
    stages = stages_of(method, chain, ["conv_2"], Grid(parts, 1), shares)
    for stage, after in zip(stages, [*stages[1:], None], strict=True):
        (shape,) = [chain.shapes[name][2:] for name in stage.cut]
        assert sum(tile.outputs[0].area for tile in stage.tiles) == shape[0] * shape[1]
        for reader in after.tiles if after else ():
            parts_made = [tile.outputs[0].overlap(reader.inputs[0]) for tile in stage.tiles]
            assert sum(part.area for part in parts_made if part) == reader.inputs[0].area
