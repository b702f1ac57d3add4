from __future__ import annotations

import numpy as np
import pytest

from gateway.cluster.trust.attribution import (
    MAX_DEVIATION,
    MAX_FLAT_DEVIATION,
    MAX_QUANTISED_DEVIATION,
    NodeFault,
    deviation_limit,
    differing_tiles,
    find_faults,
)
from gateway.planning.methods import Method, stages_of
from shared.ftp.grid import Grid
from shared.ftp.reuse import with_reuse
from shared.ftp.tiles import partition
from tests.networks import ModelBuilder


def network():
    build = ModelBuilder(24, 24)
    tensor = build.conv(build.conv("image", 4, 3, name="one", pads=[1] * 4), 2, 3, name="two", pads=[1] * 4)
    return build.network(tensor)


NETWORK = network()
STAGE = partition(NETWORK, ["two"], Grid(3, 3))
REUSING = with_reuse(NETWORK, STAGE)
LAYERS = stages_of(Method.BODP, NETWORK, ["two"], Grid(3, 1))
WORKERS = {0: "a", 1: "b", 2: "a", 3: "b", 4: "c", 5: "b", 6: "a", 7: "b", 8: "a"}


def maps(*changed, by=1.0):
    """Whole maps, and the same as merged of tiles of which some are otherwise in one value."""
    whole = np.random.default_rng(1).standard_normal((1, 2, 24, 24)).astype(np.float32)
    tiled = whole.copy()
    for tile in changed:
        box = STAGE.tiles[tile].outputs[0]
        tiled[0, 1, box.bottom - 1, box.left] += by
    return [tiled], [whole]


def test_tiles_that_are_the_same_do_not_differ():
    assert differing_tiles(*maps(), STAGE.tiles, 1e-6) == {}


@pytest.mark.parametrize("tile", range(9))
def test_a_tile_with_one_wrong_value_is_named_with_the_difference(tile):
    assert differing_tiles(*maps(tile), STAGE.tiles, 0.5) == {tile: pytest.approx(1.0, rel=1e-5)}
    assert differing_tiles(*maps(tile), STAGE.tiles, 1.5) == {}


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_no_number_differs_from_everything(value):
    assert differing_tiles(*maps(4, by=value), STAGE.tiles, 1e9) == {4: np.inf}


@pytest.mark.parametrize(("quantised", "part"), [(False, MAX_DEVIATION), (True, MAX_QUANTISED_DEVIATION)])
def test_a_quantised_model_may_differ_by_more(quantised, part):
    assert deviation_limit(2.0, 8.0, quantised=quantised) == 2.0 * part
    assert deviation_limit(0.0, 8.0, quantised=quantised) == 8.0 * MAX_FLAT_DEVIATION


def test_who_computed_a_wrong_tile_is_at_fault():
    found = find_faults({1: 2.0, 3: 5.0, 4: 1.0}, WORKERS, [STAGE])
    assert found == {"b": NodeFault((1, 3), 5.0), "c": NodeFault((4,), 1.0)}


def test_a_tile_that_may_have_read_a_wrong_strip_is_nobodys_fault():
    assert find_faults({1: 2.0, 4: 1.0}, WORKERS, [REUSING]) == {"c": NodeFault((4,), 1.0)}
    assert find_faults({1: 2.0}, WORKERS, [REUSING]) == {"b": NodeFault((1,), 2.0)}


def test_of_several_stages_the_tile_that_differs_most_is_somebodys_fault():
    assert find_faults({0: 1.0, 1: 3.0, 2: 2.0}, WORKERS, LAYERS) == {"b": NodeFault((1,), 3.0)}
    assert find_faults({}, WORKERS, LAYERS) == {}


def test_a_tile_whose_worker_is_not_known_is_nobodys_fault():
    assert find_faults({7: 2.0}, {}, [STAGE]) == {}
