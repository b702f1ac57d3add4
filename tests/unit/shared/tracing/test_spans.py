from __future__ import annotations

import threading
import time

import pytest

from shared.tracing.spans import KEPT_S, METER_PERIOD_S, Part, Span, Tracer

FRAME = "door-1-000001"


@pytest.fixture
def tracer():
    return Tracer(capacity=100)


def test_a_span_is_kept_as_it_was_recorded(tracer):
    tracer.record(Part.COMPUTE, FRAME, 1.0, 2.0, 3, 0.5)
    assert tracer.spans(2.0) == [Span("compute", FRAME, 1.0, 2.0, 3, 0.5)]


def test_spans_that_ended_longer_ago_than_a_minute_are_not_reported(tracer):
    for second in range(100):
        tracer.record(Part.MERGE, FRAME, second - 5.0, float(second))
    assert [span.end for span in tracer.spans(99.0)] == list(range(39, 100))
    assert [span.end for span in tracer.spans(99.0, seconds=2)] == [97, 98, 99]
    assert len(tracer.spans(99.0, seconds=1000)) == KEPT_S + 1


def test_no_more_spans_are_kept_than_there_is_room_for(tracer):
    for number in range(250):
        tracer.record(Part.MERGE, FRAME, number / 1e3, number / 1e3)
    assert [round(span.end * 1e3) for span in tracer.spans(0.25)] == list(range(150, 250))


def test_spans_come_in_the_order_of_their_end_whoever_recorded_them_first(tracer):
    tracer.record(Part.DECODE, FRAME, 3.0, 4.0)
    tracer.record(Part.TAIL, FRAME, 1.0, 3.0)
    assert [span.part for span in tracer.spans(4.0)] == ["tail", "decode"]


def test_what_runs_in_a_context_is_measured_with_the_processor_time_of_its_thread(tracer):
    def run():
        with tracer.measure(Part.COMPUTE, FRAME, 2):
            until = time.thread_time() + 0.02
            while time.thread_time() < until:
                pass

    begun = time.monotonic()
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    (span,) = tracer.spans(time.monotonic())
    assert (span.part, span.tile) == ("compute", 2)
    assert begun <= span.begin <= span.end <= time.monotonic()
    assert span.cpu_s == pytest.approx(0.02, abs=0.005)


def test_waiting_takes_no_processor_time(tracer):
    with tracer.measure(Part.COMPUTE, FRAME):
        threading.Event().wait(0.05)
    (span,) = tracer.spans(time.monotonic())
    assert span.end - span.begin >= 0.05
    assert span.cpu_s < 0.02


def test_a_call_returns_what_the_function_returns_and_is_recorded(tracer):
    assert tracer.call(Part.PREPARE, FRAME, divmod, 7, 3) == (2, 1)
    assert [span.part for span in tracer.spans(time.monotonic())] == ["prepare"]


def test_a_function_that_fails_is_recorded_and_fails(tracer):
    with pytest.raises(ZeroDivisionError):
        tracer.call(Part.PREPARE, FRAME, divmod, 7, 0)
    assert len(tracer.spans(time.monotonic())) == 1


def test_the_processor_time_of_the_process_counts_from_the_oldest_note_within_the_time(tracer, monkeypatch):
    used = iter(range(1000))
    monkeypatch.setattr(time, "process_time", lambda: float(next(used)))
    for number in range(100):  # a note each second
        tracer.record(Part.MERGE, FRAME, float(number), number * METER_PERIOD_S)
    assert tracer.process_time(99.0, seconds=10) == (100.0 - 89.0, 10.0)
    assert tracer.process_time(99.0) == (101.0 - 39.0, 60.0)


def test_a_process_without_spans_has_noted_nothing(tracer):
    assert tracer.process_time(10.0) is None
