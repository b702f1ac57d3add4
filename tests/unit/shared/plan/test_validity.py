from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from gateway.planning.methods import Method, stages_of
from shared.ftp.grid import Grid
from shared.plan.plan import Plan
from tests.networks import ModelBuilder
from tests.unit.edge.works import reusing_work, work_of

REUSING = reusing_work(Grid(3, 3))[1].plan.model_dump(mode="json")


def layer_by_layer():
    build = ModelBuilder(36, 48)
    tensor = build.conv(build.conv("image", 4, 3, name="one", pads=[1] * 4), 6, 3, name="two", pads=[1] * 4)
    network = build.network(tensor)
    stages = stages_of(Method.BODP, network, [tensor], Grid(3, 1), (1.0, 1.0, 1.0))
    return work_of(network, stages, Method.BODP).plan.model_dump(mode="json")


STAGED = layer_by_layer()


def with_change(plan, change):
    """Return the plan as JSON with changed values: {(path): value}."""
    (*way, last), value = change
    changed = json.loads(json.dumps(plan))
    place = changed
    for step in way:
        place = place[step]
    place[last] = value
    return json.dumps(changed)


@pytest.mark.parametrize("plan", [REUSING, STAGED], ids=["reuse", "stages"])
def test_a_plan_that_the_gateway_writes_is_valid(plan):
    assert Plan.model_validate_json(json.dumps(plan)).model_dump(mode="json") == plan


TILE = ("stages", 0, "tiles", 4)
DEPENDENT = ("stages", 0, "reusing", 1)
STRIP = REUSING["stages"][0]["reusing"][1]["taken"][0]

BAD = {
    "no inputs": ((*TILE, "inputs"), []),
    "two inputs": ((*TILE, "inputs"), [[0, 0, 4, 4]] * 2),
    "no outputs": ((*TILE, "outputs"), []),
    "an output more": ((*TILE, "outputs"), [[0, 0, 4, 4]] * 2),
    "no pads": ((*TILE, "pads"), []),
    "a box that is turned over": ((*TILE, "inputs", 0), [20, 0, 10, 10]),
    "a box of nothing": ((*TILE, "outputs", 0), [3, 3, 3, 5]),
    "a box before the beginning": ((*TILE, "inputs", 0), [-1, 0, 10, 10]),
    "a box beyond the picture": ((*TILE, "inputs", 0), [0, 0, 37, 48]),
    "a box of gigabytes": ((*TILE, "outputs", 0), [0, 0, 60000, 60000]),
    "pads of gigabytes": ((*TILE, "pads", 0), [10**9, 0, 0, 0]),
    "operations below zero": ((*TILE, "macs"), -1),
    "strips of a plain tile": ((*TILE, "taken"), [STRIP]),
    "no channels": (("stages", 0, "channels"), []),
    "channels of nothing": (("stages", 0, "channels"), [0]),
    "channels below zero": (("stages", 0, "channels"), [-5]),
    "channels of gigabytes": (("stages", 0, "channels"), [2**40]),
    "a working memory of terabytes": (("stages", 0, "working_bytes"), 2**40),
    "a program of terabytes": (("stages", 0, "program", "bytes"), 2**40),
    "no tiles": (("stages", 0, "tiles"), []),
    "no stages": (("stages",), []),
    "some reusing tiles": (("stages", 0, "reusing"), REUSING["stages"][0]["reusing"][:3]),
    "a reusing tile that takes nothing": ((*DEPENDENT, "taken"), []),
    "a reusing tile that makes something else": ((*DEPENDENT, "outputs", 0), [0, 0, 1, 1]),
    "a strip of itself": ((*DEPENDENT, "taken", 0), [*STRIP[:2], 1, *STRIP[3:]]),
    "a strip of a tile that is not there": ((*DEPENDENT, "taken", 0), [*STRIP[:2], 99, *STRIP[3:]]),
    "a strip of a tile that depends on others": ((*DEPENDENT, "taken", 0), [*STRIP[:2], 3, *STRIP[3:]]),
    "a strip at a joint that is not there": ((*DEPENDENT, "taken", 0), [99, *STRIP[1:]]),
    "a strip that nobody gives": ((*DEPENDENT, "taken", 0), [*STRIP[:5], STRIP[5] + 1, *STRIP[6:]]),
    "a strip before its map": ((*DEPENDENT, "taken", 0), [*STRIP[:7], STRIP[3] + 1, STRIP[8]]),
    "joints of nothing": (("stages", 0, "joints"), []),
    "an input of nothing": (("input",), [0, 48]),
    "an input of gigabytes": (("input",), [10**6, 10**6]),
    "a port of 70000": (("gateway_port",), 70000),
    "port 0": (("gateway_port",), 0),
    "a host with a NUL": (("gateway_host",), "a\0b"),
    "a host of a megabyte": (("gateway_host",), "a" * 2**20),
    "a lease of nothing": (("lease_s",), 0),
    "a lease below zero": (("lease_s",), -1),
    "a deadline without end": (("deadline_s",), 1e300),
    "a deadline that is no number": (("deadline_s",), float("nan")),
    "an epoch below zero": (("epoch",), -1),
    "a unit of pixels that nobody knows": (("pixels",), "float8"),
}


@pytest.mark.parametrize("change", BAD.values(), ids=BAD)
def test_a_plan_that_cannot_be_carried_out_is_refused(change):
    with pytest.raises(ValidationError):
        Plan.model_validate_json(with_change(REUSING, change))


BAD_STAGES = {
    "another number of tiles": (("stages", 1, "tiles"), STAGED["stages"][1]["tiles"][:2]),
    "more inputs than maps": (("stages", 1, "tiles", 0, "inputs"), [[0, 0, 4, 4]] * 2),
    "more of a map than is made": (("stages", 1, "tiles", 2, "inputs", 0), [20, 0, 37, 48]),
    "strips between stages": (("stages", 0, "reusing"), REUSING["stages"][0]["reusing"][:3]),
}


@pytest.mark.parametrize("change", BAD_STAGES.values(), ids=BAD_STAGES)
def test_stages_that_do_not_fit_together_are_refused(change):
    with pytest.raises(ValidationError):
        Plan.model_validate_json(with_change(STAGED, change))


def test_what_is_wrong_is_said_with_its_place():
    with pytest.raises(
        ValidationError, match="tile 4: 0 inputs; all tiles must have the same number, and at least one"
    ) as refused:
        Plan.model_validate_json(with_change(REUSING, BAD["no inputs"]))
    assert refused.value.errors()[0]["loc"] == ("stages", 0)
