from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.engine.building import PADS_INPUT, build_program
from shared.engine.preparing import prepare_program
from shared.engine.program_manifest import PIXELS_INPUT
from shared.engine.sessions import PaddingEngine
from shared.errors import CutError
from shared.ftp.cuts import possible_cuts
from shared.ftp.grid import Grid
from shared.ftp.reuse import with_reuse
from shared.ftp.tiles import partition
from shared.model.cutting import head_model
from shared.model.loading import describe_network
from tests.extent import examples
from tests.networks import ModelBuilder
from tests.unit.random_networks import DENSE, TilingCase, tiling_cases
from tests.unit.shared.engine.running import (
    PREPARATION,
    assert_same,
    merge_reusing,
    open_prepared,
    random_pixels,
    run_whole,
    special_engines,
)

MAX_STAGES = 4

MAX_TILES = 24
"""As many sessions may be opened for one example."""


@dataclass(frozen=True)
class Part:
    """One stage: its cut and its grid."""

    cut: tuple[str, ...]
    grid: Grid
    shares: tuple[float, ...] = ()


@st.composite
def staged_cases(draw: st.DrawFn, kinds: tuple[str, ...] = ()) -> tuple[TilingCase, list[Part]]:
    """Draw a network, and stages one behind the other up to its outputs."""
    case = draw(tiling_cases(kinds))
    network = describe_network(case.model, "random")
    places = draw(st.lists(st.integers(0, 9), min_size=1, max_size=MAX_STAGES - 1))
    inner = cuts_before(network, case.cut)
    chosen = [inner[place] for place in sorted({place % len(inner) for place in places})] if inner else []
    parts = []
    for cut in (*chosen, case.cut):
        rows, columns = (min(network.shapes[name][axis] for name in cut) for axis in (2, 3))
        grid = Grid(draw(st.integers(1, min(rows, 4))), draw(st.integers(1, min(columns, 4))))
        shares: tuple[float, ...] = ()
        if 1 in {grid.rows, grid.columns} and draw(st.booleans()):
            shares = tuple(draw(st.lists(st.integers(1, 9), min_size=grid.count, max_size=grid.count)))
        parts.append(Part(cut, grid, shares))
    return case, parts


def cuts_before(network, last):
    """Return the maps of every cut before the last one."""
    try:
        cuts = possible_cuts(network)
    except CutError:  # the picture is used to the end
        return []
    return [cut for cut in dict.fromkeys(cut.maps for cut in cuts) if set(cut) != set(last)]


def stages_of(model, parts, *, reuse=False):
    """Stage and program of each part, in order."""
    network, after = describe_network(model, "test"), ()
    stages = []
    for part in parts:
        stage = partition(network, part.cut, part.grid, after=after, shares=part.shares)
        if reuse:
            stage = with_reuse(network, stage)
        head = head_model(model, network, part.cut, after)
        stages.append((stage, build_program(head, stage, None if after else PREPARATION)))
        after = part.cut
    return stages


def run_stages(model, stages, pixels, engines_of):
    """Compute the maps at the last cut; `engines_of` returns the engines of a program by form."""
    read = [pixels]
    for stage, program in stages:
        read = merge_reusing(model, stage, read, engines_of(program))
    return read


def plain_engine(program):
    engine = PaddingEngine(program)
    return lambda _: engine


def assert_stages_are_exact(case, parts, engines_of, *, reuse=False):
    pixels = random_pixels(*describe_network(case.model, "random").input_size)
    made = run_stages(case.model, stages_of(case.model, parts, reuse=reuse), pixels, engines_of)
    assert_same(made, run_whole(case.original, case.cut, pixels))


@settings(max_examples=examples(150))
@given(staged_cases())
def test_stages_of_any_network_make_what_the_whole_network_makes(drawn):
    assert_stages_are_exact(*drawn, plain_engine)


@settings(max_examples=examples(100))
@given(staged_cases(DENSE))
def test_stages_of_convolutions_make_what_the_whole_network_makes(drawn):
    assert_stages_are_exact(*drawn, plain_engine)


@settings(max_examples=examples(100))
@given(staged_cases())
def test_stages_whose_tiles_hand_on_strips_make_what_the_whole_network_makes(drawn):
    case, parts = drawn
    if sum(part.grid.count for part in parts) <= MAX_TILES:
        assert_stages_are_exact(case, parts, special_engines, reuse=True)


@pytest.fixture(scope="module")
def branched():
    """Return a network with a map that is used late, two behind a stride, and an end that joins them enlarged."""
    build = ModelBuilder(48, 40)
    early = build.layer("LeakyRelu", build.conv("image", 8, 3, pads=[1] * 4), name="early", alpha=0.1)
    deep = build.conv(early, 8, 3, strides=[2, 2], pads=[1] * 4, name="deep")
    deeper = build.conv(build.layer("Relu", deep), 8, 5, pads=[2] * 4, name="deeper")
    factors = build.constant("factors", np.array([1, 1, 2, 2], np.float32))
    attributes = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    enlarged = build.layer("Resize", deeper, "", factors, **attributes)
    joined = build.layer("Concat", early, enlarged, axis=1)
    return build.model(build.conv(joined, 4, 3, pads=[1] * 4, name="last"))


PARTS = [
    Part(("early",), Grid(2, 2)),
    Part(("deep", "early"), Grid(3, 1), (1, 3, 2)),
    Part(("early", "deeper"), Grid(2, 3)),
    Part(("last",), Grid(1, 4), (4, 1, 1, 2)),
]
"""Stages of `branched`: maps go through unchanged, in another place, and at another resolution than their neighbour."""


def test_a_map_that_a_stage_only_passes_on_is_read_and_made_by_every_tile(branched):
    stage, program = stages_of(branched, PARTS[:2])[1]
    assert [layer.name for layer in stage.layers] == ["deep"]
    assert (stage.inputs, stage.cut) == (("early",), ("deep", "early"))
    graph = onnx.load_from_string(program).graph
    assert [value.name for value in graph.input] == ["early", PADS_INPUT]
    for tile in stage.tiles:
        assert tile.inputs[0].hull(tile.outputs[1]) == tile.inputs[0]
    maps = [np.random.default_rng(1).standard_normal((1, 8, 48, 40)).astype(np.float32)]
    made = merge_reusing(branched, stage, maps, plain_engine(program))
    np.testing.assert_array_equal(made[1], maps[0])


def test_a_map_that_a_stage_passes_on_untouched_has_another_name_in_its_program(branched):
    stage, program = stages_of(branched, PARTS[:3])[2]
    assert (stage.inputs, stage.cut) == (("deep", "early"), ("early", "deeper"))
    graph = onnx.load_from_string(program).graph
    assert [value.name for value in graph.input] == ["deep", "early", PADS_INPUT]
    assert [value.name for value in graph.output] == ["early.result", "deeper"]
    assert [tile.inputs[1] for tile in stage.tiles] == [tile.outputs[0] for tile in stage.tiles]


def test_only_the_first_stage_reads_pixels(branched):
    inputs = [
        {value.name for value in onnx.load_from_string(program).graph.input}
        for _, program in stages_of(branched, PARTS)
    ]
    assert [PIXELS_INPUT in names for names in inputs] == [True, False, False, False]


@pytest.mark.parametrize("reuse", [False, True], ids=["plain", "reuse"])
def test_stages_that_are_prepared_make_what_the_whole_network_makes(branched, reuse, tmp_path):
    def engines_of(program):
        number, stage = next((at, stage) for at, (stage, made) in enumerate(stages) if made == program)
        (tmp_path / f"{number}.onnx").write_bytes(program)
        prepare_program(tmp_path / f"{number}.onnx", stage.forms, tmp_path / str(number))
        engine = open_prepared(tmp_path / str(number))
        return lambda _: engine

    stages, pixels = stages_of(branched, PARTS, reuse=reuse), random_pixels(48, 40)
    assert any(stage.joints for stage, _ in stages) is reuse
    assert_same(run_stages(branched, stages, pixels, engines_of), run_whole(branched, ["last"], pixels))


@pytest.mark.parametrize(("engines_of", "reuse"), [(plain_engine, False), (special_engines, True)])
def test_stages_equal_the_whole_map_by_map(branched, engines_of, reuse):
    """Also the maps between them."""
    pixels, read = random_pixels(48, 40), [random_pixels(48, 40)]
    shown = onnx.ModelProto()
    shown.CopyFrom(branched)
    names = ("early", "deep", "deeper")
    shown.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in names)
    for stage, program in stages_of(branched, PARTS, reuse=reuse):
        read = merge_reusing(branched, stage, read, engines_of(program))
        assert_same(read, run_whole(shown, stage.cut, pixels))
