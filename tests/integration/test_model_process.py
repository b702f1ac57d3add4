"""A model in a process of its own is the same model, and its process is gone when nobody needs the weights."""

from __future__ import annotations

import subprocess
import sys

import psutil
import pytest

from gateway.models.catalogue import DEFAULT_MODEL, open_model
from gateway.models.model_process import open_model_apart
from gateway.planning.partitioned import PartitionedModel
from shared.errors import ConfigurationError, ModelError
from shared.ftp.grid import Grid

LOADS_NOTHING = """
import sys
import gateway.commands.serve
assert not [name for name in sys.modules if name.partition(".")[0] == "onnx"]
"""


@pytest.fixture
def apart():
    model = open_model_apart(DEFAULT_MODEL)
    yield model
    model.forget_weights()


def processes():
    return psutil.Process().children()


def test_its_description_and_graphs_are_those_of_the_model_itself(apart):
    model = open_model(DEFAULT_MODEL)
    assert (apart.spec, apart.outputs, apart.unreadable) == (model.spec, model.outputs, model.unreadable)
    assert apart.network.layers == model.network.layers
    here, there = PartitionedModel.of(model, Grid(3, 3)), PartitionedModel.of(apart, Grid(3, 3))
    assert there.stages == here.stages
    assert there.build_programs() == here.build_programs()
    assert apart.graphs.tail(there.cut) == model.graphs.tail(here.cut)
    assert apart.graphs.whole_head(there.cut) == model.graphs.whole_head(here.cut)


def test_the_process_ends_with_the_weights_and_another_makes_what_is_requested_later(apart):
    (process,) = processes()
    tail = apart.graphs.tail(apart.spec.cut)
    apart.forget_weights()
    assert not process.is_running()
    assert apart.graphs.tail(apart.spec.cut) == tail
    assert len(processes()) == 1


def test_errors_are_those_of_the_model_itself(tmp_path):
    (tmp_path / "broken.onnx").write_bytes(b"no model")
    for name, kind in (("unheard-of", ConfigurationError), (str(tmp_path / "broken.onnx"), ModelError)):
        with pytest.raises(kind) as here:
            open_model(name)
        with pytest.raises(kind) as there:
            open_model_apart(name)
        assert str(there.value) == str(here.value)
    assert not processes()


def test_a_process_that_is_killed_is_told_as_such(apart):
    (process,) = processes()
    process.kill()
    with pytest.raises(ModelError, match="has ended, perhaps because memory ran out"):
        apart.graphs.tail(apart.spec.cut)
    assert apart.graphs.tail(apart.spec.cut), "the next one tries again"


def test_a_gateway_does_not_load_what_only_loading_needs():
    subprocess.run([sys.executable, "-c", LOADS_NOTHING], check=True, timeout=60)
