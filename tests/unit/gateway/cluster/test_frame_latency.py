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


def test_a_frame_that_the_gateway_knows_by_its_result_only_has_waited_and_was_computed_nevertheless():
    time = divide_latency(LATENCY.model_copy(update={"tiles": 0.0}), result(150, 60))
    assert (time.waiting_ms, time.computing_ms, time.transfers_ms) == (150, 60, 0)


def test_without_a_last_tile_all_counts_as_transfers():
    assert divide_latency(LATENCY, None).transfers_ms == LATENCY.tiles
