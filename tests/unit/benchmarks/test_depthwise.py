from __future__ import annotations

import numpy as np
import pytest

from benchmarks.depthwise import write_depthwise
from gateway.models.catalogue import open_model, why_whole_only
from gateway.planning.partitioned import PartitionedModel, TiledHead
from shared.model.letterbox import Letterbox


@pytest.fixture(scope="module")
def depthwise(tmp_path_factory):
    return open_model(str(write_depthwise(tmp_path_factory.mktemp("depthwise"))))


def test_the_network_is_mostly_depthwise_and_can_be_tiled(depthwise):
    groups = [layer.attributes["group"] for layer in depthwise.network.layers if layer.op == "Conv"]
    assert sum(group > 1 for group in groups) == 13
    assert why_whole_only(depthwise) == ""


def test_its_outputs_are_read_and_most_cells_are_empty(depthwise):
    assert depthwise.spec.decoder == "yolox"
    whole = PartitionedModel.whole(depthwise)
    picture = np.random.default_rng(1).integers(0, 256, (416, 416, 3), np.uint8)
    maps = TiledHead(whole, 1).run(picture)
    letterbox = Letterbox(416, 416, 416, 416)
    assert len(whole.detector(1).detect(maps, letterbox).objects) < 200
