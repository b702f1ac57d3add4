from __future__ import annotations

import json
import zlib

import pytest

from shared.errors import ProtocolError
from shared.tracing.clocks import ClockOffset
from shared.tracing.cluster_trace import ReceivedRecording, camera_of, join_recordings
from shared.tracing.recording import MAX_RECORDING_BYTES, decode_recording, encode_recording
from shared.tracing.spans import MAX_SPANS, ProcessTime, Span
from tests.unit.shared.tracing.traces import EDGE, GATEWAY

SAME = ClockOffset(0.0, 0.0)


def rows(*spans, **more):
    return zlib.compress(json.dumps({"spans": spans, **more}).encode())


def test_what_is_encoded_is_decoded_to_the_microsecond():
    recording = decode_recording(encode_recording(EDGE, ProcessTime(1.5, 60.0)))
    assert recording.aligned(SAME) == EDGE
    assert (recording.cpu_s, recording.over_s) == (1.5, 60.0)


def test_times_become_those_of_the_clock_of_the_gateway():
    recording = decode_recording(encode_recording(EDGE, None))
    ahead = recording.aligned(ClockOffset(40.0, 0.001))
    assert [span.begin for span in ahead] == pytest.approx([span.begin - 40 for span in EDGE])
    assert recording.cpu_s is None


def test_a_full_ring_of_the_longest_names_fits_and_one_span_more_is_refused():
    name = "f" * 127
    spans = [
        Span("wait for a device", f"{name}{number % 10}", 1e6, 1e6 + 0.123456, number, 0.123456)
        for number in range(MAX_SPANS)
    ]
    assert len(decode_recording(encode_recording(spans, None)).spans) == MAX_SPANS
    with pytest.raises(ProtocolError, match="not a trace"):
        decode_recording(encode_recording([*spans, spans[0]], None))


def test_a_part_of_a_newer_release_is_kept():
    recording = decode_recording(rows(["fold", "door-1-000001", 1.0, 2.0, None, None]))
    assert recording.spans[0][0] == "fold"


@pytest.mark.parametrize(
    "data",
    [
        b"", b"no", zlib.compress(b"[1"), zlib.compress(b"[]"), rows(["tail"]),
        rows(["tail", "Door 1", 1.0, 2.0, None, None]), rows(["\x1b[2J", "door-1-000001", 1.0, 2.0, None, None]),
        rows(["tail", "door-1-000001", 1e300, 2.0, None, None]), rows(["tail", "door-1-000001", 1.0, 2.0, -1, None]),
        rows(cpu_s=-1.0), encode_recording(EDGE, None)[:-4], zlib.compress(b" " * (MAX_RECORDING_BYTES + 1)),
    ],
)  # fmt: skip
def test_anything_else_is_refused(data):
    with pytest.raises(ProtocolError):
        decode_recording(data)


def test_a_span_that_ends_before_it_begins_has_no_duration():
    (span,) = decode_recording(rows(["tail", "door-1-000001", 2.0, 1.0, None, None])).aligned(SAME)
    assert (span.begin, span.end) == (2.0, 2.0)


def test_one_damaged_or_missing_recording_leaves_the_others():
    trace = join_recordings([
        ReceivedRecording("gateway", encode_recording(GATEWAY, None), SAME),
        ReceivedRecording("shed", encode_recording(EDGE, None), ClockOffset(1000.0, 0.002)),
        ReceivedRecording("hall", b"", SAME, "it is off"),
        ReceivedRecording("attic", b"???", SAME),
    ])  # fmt: skip
    assert list(trace.spans) == ["gateway", "shed"]
    assert trace.missing["hall"] == "it is off"
    assert "cannot be read" in trace.missing["attic"]
    assert trace.spans["shed"][0].begin == pytest.approx(100 - 1000)


@pytest.mark.parametrize(
    ("frame", "camera"), [("door-1a2b-000007", "door"), ("front-door-1a2b-000007", "front-door"), ("odd", "odd")]
)
def test_a_frame_is_named_after_its_camera(frame, camera):
    assert camera_of(frame) == camera
