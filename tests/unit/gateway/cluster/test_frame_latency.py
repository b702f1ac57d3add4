from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.cluster.frame_latency import divide_latency
from shared.payloads.cluster import Latency
from shared.payloads.frames import FrameInfo
from shared.wire.headers import ResultHeader

INFO = FrameInfo(frame="door-1-000001", camera="door", number=1, captured_at=1.0, height=576, width=768)
LATENCY = Latency(total=300, transfer=20, prepare=5, tiles=240, tail=25, decode=5)
times = st.floats(0, 1e6)


def result(waited_ms=0.0, compute_ms=0.0):
    return ResultHeader(
        info=INFO, epoch=1, owner="shed", worker="attic", tile=3, shapes=(), compute_ms=compute_ms, waited_ms=waited_ms
    )


def test_the_time_of_the_tiles_is_that_of_the_last_one():
    time = divide_latency(LATENCY, result(150, 60))
    assert (time.waiting_ms, time.computing_ms, time.transfers_ms) == (150, 60, 30)
    assert (time.total_ms, time.camera_ms, time.preparing_ms, time.finishing_ms) == (300, 20, 5, 30)


@given(waited=times, computed=times)
def test_whatever_a_worker_reports_the_parts_are_within_the_latency(waited, computed):
    time = divide_latency(LATENCY, result(waited, computed))
    parts = (time.waiting_ms, time.computing_ms, time.transfers_ms)
    assert all(part >= 0 for part in parts)
    assert LATENCY.tiles - 1e-6 <= sum(parts) <= 300 - 20 - 5 - 30 + 1e-6


def test_of_a_whole_frame_which_the_gateway_knows_by_its_result_only_the_rest_was_spent_on_the_way():
    time = divide_latency(LATENCY.model_copy(update={"tiles": 0.0}), result(150, 60))
    assert (time.waiting_ms, time.computing_ms, time.transfers_ms) == (150, 60, 35)
    assert sum(time.model_dump(exclude={"total_ms"}).values()) == 300


def test_a_picture_that_waited_until_its_edge_had_room_waited_for_a_device():
    last = result(150, 60)
    last = last.model_copy(update={"info": INFO.model_copy(update={"invite_ms": 12.0})})
    time = divide_latency(LATENCY, last)
    assert (time.camera_ms, time.waiting_ms) == (8, 162)
    assert divide_latency(LATENCY.model_copy(update={"transfer": 5.0}), last).camera_ms == 0


def test_without_a_last_tile_all_counts_as_transfers():
    assert divide_latency(LATENCY, None).transfers_ms == LATENCY.tiles


def test_a_whole_frame_that_waited_for_earlier_ones_waited_and_was_not_on_its_way():
    waited = LATENCY.model_copy(update={"tiles": 0.0, "order": 25.0})
    time = divide_latency(waited, result(150, 60))
    assert (time.waiting_ms, time.computing_ms, time.transfers_ms, time.finishing_ms) == (175, 60, 10, 30)
