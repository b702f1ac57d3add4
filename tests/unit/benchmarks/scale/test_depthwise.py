from __future__ import annotations

import pytest

from benchmarks.scale.bare_export import export_bare
from benchmarks.scale.bare_model import BareModel
from benchmarks.scale.depthwise import write_depthwise
from gateway.models.catalogue import open_model
from gateway.planning.partitioned import PartitionedModel
from shared.ftp.grid import Grid


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("models")


def test_the_network_is_depthwise_readable_and_can_be_tiled(folder):
    model = open_model(str(write_depthwise(folder)))
    groups = [
        attribute.i for node in model.proto.graph.node for attribute in node.attribute if attribute.name == "group"
    ]
    assert sum(group > 1 for group in groups) == 12
    assert (model.unreadable, model.spec.decoder) == ("", "yolox")
    assert len(PartitionedModel.of(model, Grid(3, 3)).stage.tiles) == 9


def test_it_is_always_the_same(folder, tmp_path):
    assert write_depthwise(tmp_path).read_bytes() == write_depthwise(folder).read_bytes()


def test_a_model_is_exported_once_with_all_that_a_loop_needs(folder, tmp_path):
    path = export_bare(str(write_depthwise(folder)), tmp_path)
    model = BareModel.read(path)
    assert (model.input_size, model.outputs) == ((416, 416), {"output": (1, 3549, 85)})
    moment = model.file.stat().st_mtime_ns
    assert export_bare(str(folder / "depthwise.onnx"), tmp_path) == path
    assert model.file.stat().st_mtime_ns == moment
