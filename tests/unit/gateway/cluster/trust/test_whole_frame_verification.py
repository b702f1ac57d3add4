"""Verifying whole frames: the objects that a worker found against those that it should have found."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from gateway.cluster.trust.attribution import find_faults
from gateway.cluster.trust.object_difference import WRONG_OBJECTS
from gateway.cluster.trust.verification import Verifier
from gateway.cluster.whole_frame import WholeFrame
from gateway.models.catalogue import open_model
from gateway.planning.partitioned import PartitionedModel
from shared.payloads.cluster import Verification
from tests.networks import detector_of

PICTURE = np.zeros((64, 64, 3), np.uint8)
FOUND = np.array([[16, 8, 32, 56, 0.9, 0], [40, 40, 60, 60, 0.8, 1]], np.float32)


@pytest.fixture
def partitioned(tmp_path):
    rows = np.zeros((1, 30, 6), np.float32)
    rows[0, : len(FOUND)] = FOUND
    onnx.save(detector_of({"output0": rows}), tmp_path / "mine.onnx")
    return PartitionedModel.whole(open_model(str(tmp_path / "mine.onnx")))


def verified(partitioned, table):
    whole = WholeFrame()
    whole.place(0, [table])
    return Verifier(partitioned, 1, 1).verify(PICTURE, whole)


def test_the_right_objects_do_not_differ(partitioned):
    result = verified(partitioned, FOUND[::-1])
    assert (result.difference.max_abs_diff, result.wrong) == (0.0, {})


def test_rounding_is_a_difference_and_no_fault(partitioned):
    result = verified(partitioned, FOUND + np.array([0.1, 0, 0, 0, 0, 0], np.float32))
    assert result.difference.max_abs_diff == pytest.approx(0.1 / 64, rel=1e-3)
    assert result.wrong == {}


@pytest.mark.parametrize("table", [FOUND[:1], np.zeros((0, 6), np.float32), FOUND * np.float32(0.9)])
def test_wrong_objects_are_the_fault_of_the_worker_and_can_be_published(partitioned, table):
    result = verified(partitioned, table)
    assert result.wrong == {0: WRONG_OBJECTS}
    faults = find_faults(result.wrong, {0: "pi-2"}, partitioned.stages)
    assert faults["pi-2"].tiles == (0,)
    message = Verification(
        frame="f", max_abs_diff=result.difference.max_abs_diff, map_std=result.difference.map_std,
        wrong={node: fault.tiles for node, fault in faults.items()},
    )  # fmt: skip
    assert Verification.model_validate_json(message.model_dump_json()) == message
