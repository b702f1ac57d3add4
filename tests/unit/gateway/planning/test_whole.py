"""The whole network as a plan: built, run, decoded, written for edges."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import onnx
import pytest
from pydantic import ValidationError

from gateway.models.catalogue import MODELS, open_model
from gateway.planning import partitioned as partitioned_module
from gateway.planning.methods import Method
from gateway.planning.partitioned import (
    PartitionedModel,
    TiledHead,
    WholeHead,
    compare_maps,
    partitions_of,
    verify_tiles,
)
from gateway.planning.planner import PlanTerms, write_plan
from shared.errors import ConfigurationError, CutError, ModelError
from shared.ftp.grid import Grid
from shared.ftp.tiles import whole_stage
from shared.network.addresses import Address
from shared.plan.plan import DetectorPlan, Plan, ProgramRef
from tests.networks import ModelBuilder, detector_of
from tests.unit.gateway.planning.test_partitioned import run_whole


@pytest.fixture
def squeezed(tmp_path):
    """A network with a global pool, which needs the whole map, behind a convolution."""
    build = ModelBuilder(32, 48)
    first = build.conv("image", 8, 3, name="first", pads=[1] * 4)
    build.layer("Mul", first, build.layer("GlobalAveragePool", first, name="pool"), name="last")
    path = tmp_path / "squeezed.onnx"
    onnx.save(onnx.shape_inference.infer_shapes(build.original("last")), path)
    return open_model(str(path))


def written(partitioned, detector):
    return write_plan(
        partitioned.method, partitioned.model.network, partitioned.spec.preprocessing, partitioned.stages,
        [ProgramRef(sha256="0" * 64, bytes=1)], 7, Address("10.0.0.1", 4000), PlanTerms(), detector,
    )  # fmt: skip


def detector_for(partitioned):
    """A detector for one output, whatever a decoder says of it."""
    shapes = partitioned.model.network.shapes
    return DetectorPlan(description=partitioned.spec, outputs={name: shapes[name] for name in partitioned.cut})


def test_the_built_in_network_as_a_whole_is_onnxruntime_on_its_file(nanodet, street):
    file = onnx.load(MODELS / "nanodet-g" / "nanodet-g.onnx")
    expected = run_whole(file, list(nanodet.network.outputs), street, nanodet.spec.preprocessing)
    whole = PartitionedModel.whole(nanodet)
    for made in (TiledHead(whole, 1).run(street), WholeHead(whole, 1).run(street)):
        assert [array.shape for array in made] == [array.shape for array in expected]
        assert all(np.array_equal(*pair) for pair in zip(made, expected, strict=True))


def test_a_whole_network_is_verified_with_the_engine_of_an_edge(nanodet, street, monkeypatch):
    """The prepared one, unless an ordinary session is faster here: that is measured when it is opened."""
    opened = []

    async def open_engine(*args, **kwargs):
        opened.append(await open_engine_of_an_edge(*args, **kwargs))
        return opened[-1]

    open_engine_of_an_edge = partitioned_module.open_engine
    monkeypatch.setattr(partitioned_module, "open_engine", open_engine)
    difference, engine = verify_tiles(PartitionedModel.whole(nanodet), street, 1)
    assert [made.name for made in opened] == [engine]
    assert difference.max_abs_diff == 0
    assert difference.map_std > 0


def test_a_whole_network_needs_no_tail_to_detect(tmp_path):
    rows = np.zeros((1, 30, 6), np.float32)
    rows[0, 0] = (16, 8, 32, 56, 0.9, 0)
    onnx.save(detector_of({"output0": rows}), tmp_path / "mine.onnx")
    whole = PartitionedModel.whole(open_model(str(tmp_path / "mine.onnx")))
    assert whole.tail(1) is None
    (output,) = TiledHead(whole, 1).run(np.zeros((64, 64, 3), np.uint8))
    assert output.shape == (1, 30, 6)
    assert np.array_equal(output, rows)


def test_a_network_that_cannot_be_tiled_to_its_end_is_whole_at_1x1_and_refused_in_tiles(squeezed):
    assert PartitionedModel.of(squeezed, Grid(1, 1), "last").stage.whole
    with pytest.raises(CutError, match=r"layer pool \(GlobalAveragePool\) cannot be computed tile by tile"):
        PartitionedModel.of(squeezed, Grid(1, 2), "last")


def test_a_network_that_can_be_tiled_to_its_end_has_pads_at_1x1_as_in_any_grid(tmp_path):
    build = ModelBuilder(32, 48)
    build.conv("image", 8, 3, name="first", pads=[1] * 4)
    onnx.save(onnx.shape_inference.infer_shapes(build.original("first")), tmp_path / "plain.onnx")
    assert not PartitionedModel.of(open_model(str(tmp_path / "plain.onnx")), Grid(1, 1), "first").stage.whole


def test_the_plan_of_a_whole_network_is_one_tile_without_maps(squeezed):
    whole = PartitionedModel.whole(squeezed)
    plan = written(whole, detector_for(whole))
    (stage,) = plan.stages
    assert plan.method == Method.WHOLE
    assert plan.cut == ("last",)
    assert stage.channels == ()
    assert stage.tiles[0].inputs == ((0, 0, 32, 48),)
    assert stage.tiles[0].outputs == ()
    assert stage.tiles[0].to_tile(0).form == whole_stage(squeezed.network).tiles[0].form
    assert Plan.model_validate_json(plan.model_dump_json()) == plan


@pytest.mark.parametrize("change", ["two tiles", "channels", "two stages", "a part of the picture", "no detector"])
def test_a_plan_with_more_than_a_whole_network_is_refused(squeezed, change):
    whole = PartitionedModel.whole(squeezed)
    plan = json.loads(written(whole, detector_for(whole)).model_dump_json())
    (stage,) = plan["stages"]
    if change == "two tiles":
        stage["tiles"] *= 2
    elif change == "channels":
        stage["channels"] = [8]
    elif change == "two stages":
        plan["stages"] *= 2
    elif change == "no detector":
        del plan["detector"]
    else:
        stage["tiles"][0]["inputs"][0] = [0, 0, 32, 40]
    with pytest.raises(ValidationError):
        Plan.model_validate_json(json.dumps(plan))


def test_workers_of_whole_frames_get_the_description_and_the_shapes_of_the_outputs(nanodet):
    whole = PartitionedModel.whole(nanodet)
    detector = whole.detector_plan
    assert detector.description == nanodet.spec
    assert list(detector.outputs) == list(nanodet.network.outputs)
    assert Plan.model_validate_json(written(whole, detector).model_dump_json()).detector == detector
    assert PartitionedModel.of(nanodet, Grid(3, 3), None).detector_plan is None


def test_a_whole_network_that_no_decoder_reads_has_no_workers(squeezed):
    with pytest.raises(ModelError, match="no decoder reads its outputs"):
        _ = PartitionedModel.whole(squeezed).detector_plan
    with pytest.raises(ConfigurationError, match="a stage without outputs needs a detector"):
        written(PartitionedModel.whole(squeezed), None)


def test_with_auto_tiles_are_offered_beside_whole_frames_if_there_are_any(nanodet, squeezed):
    whole, tiles = partitions_of(nanodet, Method.AUTO, Grid(3, 3), None)
    assert (whole.stage.whole, whole.method) == (True, Method.WHOLE)
    assert (len(tiles.stage.tiles), tiles.method) == (9, Method.WST)
    only_whole = replace(squeezed, untileable="no layer can be computed tile by tile")
    assert [made.stage.whole for made in partitions_of(only_whole, Method.AUTO, Grid(3, 3), None)] == [True]
    assert [made.stage.whole for made in partitions_of(nanodet, Method.WHOLE, Grid(3, 3), None)] == [True]
    (fixed,) = partitions_of(nanodet, Method.WST_S, Grid(2, 2), None)
    assert (fixed.method, len(fixed.stage.tiles)) == (Method.WST_S, 4)


def test_outputs_of_another_size_differ_infinitely_and_equal_infinities_do_not():
    rows = np.ones((3, 4), np.int64)
    assert compare_maps([rows[:2]], [rows]).max_abs_diff == np.inf
    assert not compare_maps([rows[:2]], [rows]).exact
    lowest = np.array([1.0, -np.inf], np.float32)
    assert compare_maps([lowest.copy()], [lowest]).max_abs_diff == 0
    none = np.zeros((0, 6), np.float32)
    assert compare_maps([none], [none.copy()]).exact


def test_a_whole_network_has_no_maps_to_merge_whatever_the_shapes_of_its_outputs(squeezed):
    assert PartitionedModel.whole(squeezed).map_shapes == []
