"""Whole frames at the gateway: what a worker found, in the place of merged maps."""

from __future__ import annotations

import numpy as np
import pytest

from gateway.cluster.collector import Collector, Receipt
from gateway.cluster.whole_frame import WholeFrame, read_objects
from shared.detection.detections import Detections
from shared.errors import ProtocolError
from shared.ftp.tiles import whole_stage
from shared.payloads.cluster import TileCounts
from shared.payloads.frames import FrameInfo, Outcome
from shared.wire.headers import ResultHeader
from tests.networks import ModelBuilder

FOUND = np.array([[1, 2, 30, 40, 0.9, 2], [5, 5, 9, 9, 0.5, 0]], np.float32)
NONE = np.zeros((0, 6), np.float32)


def result(table=FOUND, *, worker="pi-2", frame="f", **change):
    info = FrameInfo(frame=frame, camera="door", number=1, captured_at=0.0, height=36, width=48)
    said = {"info": info, "epoch": 7, "owner": "pi-1", "worker": worker, "tile": 0, "shapes": (), "compute_ms": 1.0,
            "objects": len(table)}  # fmt: skip
    return ResultHeader(**{**said, **change}), np.frombuffer(table.tobytes(), np.uint8)


CAPACITY = 2


@pytest.fixture
def collector():
    build = ModelBuilder(36, 48)
    stage = whole_stage(build.network(build.conv("image", 4, 3, name="last", pads=[1] * 4)))
    return Collector(stage, [], CAPACITY, 10.0, whole=True)


@pytest.mark.parametrize("table", [FOUND, NONE], ids=["two", "none"])
def test_objects_are_read_as_they_were_sent(table):
    found = read_objects(*result(table))
    assert np.array_equal(found.table, table)


@pytest.mark.parametrize(
    "change", [{"tile": 1}, {"shapes": ((1, 1, 1, 1),)}, {"strips": {1: 4}}, {"objects": 3}, {"objects": None}]
)
def test_a_result_that_is_none_of_a_whole_frame_is_an_error_of_its_worker(change):
    with pytest.raises(ProtocolError, match="pi-2 sent 48 bytes"):
        read_objects(*result(**change))


def test_a_result_without_payload_has_no_objects():
    header, payload = result(NONE, objects=None)
    assert len(read_objects(header, payload)) == 0


@pytest.mark.parametrize(("column", "value"), [(0, np.nan), (3, np.inf), (4, 1.01), (4, -0.01), (5, -1), (5, 2**16)])
def test_impossible_objects_are_no_objects(column, value):
    table = FOUND.copy()
    table[1, column] = value
    assert read_objects(*result(table)) is None


def test_a_frame_is_complete_with_its_first_result():
    whole = WholeFrame()
    assert (whole.missing, whole.complete) == ({0}, False)
    assert whole.place(0, [FOUND])
    assert (whole.missing, whole.complete, len(whole.objects)) == (set(), True, 2)
    assert not whole.place(0, [NONE])
    assert len(whole.objects) == 2
    whole.reset()
    assert (whole.missing, whole.objects) == ({0}, None)


def test_a_frame_without_objects_is_complete_as_well():
    whole = WholeFrame()
    whole.place(0, [NONE])
    assert whole.complete
    assert isinstance(whole.objects, Detections)


def test_a_whole_frame_is_collected_like_tiles(collector):
    header, payload = result()
    assert collector.add_result(header, payload, 3.0) is Receipt.COMPLETED
    assembly = collector.get_assembly("f")
    assert np.array_equal(assembly.merged.objects.table, FOUND)
    assert (assembly.completed_at, assembly.grid) == (3.0, "1x1")
    assert assembly.tile_counts() == {"pi-2": TileCounts(own=0, stolen=1)}
    assert collector.add_result(header, payload, 3.1) is Receipt.DUPLICATE
    collector.close_frame("f")
    assert collector.add_result(header, payload, 3.2) is Receipt.LATE


def test_impossible_objects_count_as_a_result_that_is_not_finite_and_leave_the_frame_open(collector):
    table = FOUND.copy()
    table[0, 4] = np.nan
    assert collector.add_result(*result(table), 0.0) is Receipt.NOT_FINITE
    assert collector.add_result(*result(worker="pi-3"), 0.0) is Receipt.COMPLETED


def test_the_place_of_a_frame_that_has_ended_is_empty_for_the_next(collector):
    collector.add_result(*result(), 0.0)
    collector.close_frame("f")
    header, _ = result(frame="g")
    assembly = collector.open_frame(header.info, "pi-1", 1.0)
    assert assembly.merged.missing == {0}
    assert collector.overdue(11.0) == [(assembly, Outcome.DEADLINE)]


def test_complete_frames_that_wait_for_earlier_ones_leave_room_for_others(collector):
    for number in range(CAPACITY):
        assert collector.add_result(*result(frame=f"f-{number}"), 0.0) is Receipt.COMPLETED
    for number in range(CAPACITY):
        assert collector.open_frame(result(frame=f"g-{number}")[0].info, "pi-1", 0.0) is not None
    assert collector.add_result(*result(frame="h"), 0.0) is Receipt.FULL


def test_a_whole_frame_took_as_long_as_its_result_says_though_it_is_opened_by_it(collector):
    header, payload = result(waited_ms=500.0, compute_ms=1500.0)
    collector.add_result(header, payload, 100.0)
    assert collector.get_assembly("f").duration_s(100.1) == pytest.approx(2.0)
