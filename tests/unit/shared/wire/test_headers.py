from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import ProtocolError
from shared.payloads.cluster import MAX_NEIGHBOURS, MAX_REASON_LENGTH, FrameDone, State, TileDone
from shared.payloads.fields import NAME_PATTERN
from shared.payloads.frames import FRAME_PATTERN, FrameCounts, FrameInfo, Outcome
from shared.wire import camera_headers, headers
from shared.wire.codec import MAX_HEADER_BYTES, MessageKind
from shared.wire.headers import HEADERS, MAX_WORKERS, ResultHeader, TakeHeader

names = st.from_regex(NAME_PATTERN.replace("$", r"\Z"), fullmatch=True)
frames = st.from_regex(FRAME_PATTERN.replace("$", r"\Z"), fullmatch=True)
hashes = st.text("0123456789abcdef", min_size=64, max_size=64)
seconds = st.floats(0, 1e9)
epochs = st.integers(0, 2**53)
pixels = st.integers(1, 16384)
tiles = st.integers(0, 9999)
ports = st.integers(0, 65535)

infos = st.builds(
    FrameInfo, frame=frames, camera=names, number=epochs, captured_at=seconds, height=pixels, width=pixels,
    transfer_ms=seconds, prepare_ms=seconds,
)  # fmt: skip
counts = st.builds(
    FrameCounts, captured=epochs, published=epochs, dropped=st.dictionaries(st.sampled_from(Outcome), epochs)
)
numbers = st.lists(tiles, max_size=MAX_NEIGHBOURS).map(tuple)
sizes = st.dictionaries(tiles, epochs, max_size=MAX_NEIGHBOURS)
booleans = st.booleans()
refs = st.builds(headers.TaskRef, frame=frames, tile=tiles)
workers = st.builds(headers.WorkerRef, node=names, host=st.sampled_from(["", "10.0.0.1", "fe80::1"]), port=ports)
recordings = st.builds(
    headers.RecordingRef, node=names, bytes=epochs, offset_s=st.floats(-1e9, 1e9), round_trip_s=seconds,
    missing=st.text(max_size=MAX_REASON_LENGTH),
)  # fmt: skip
shapes = st.lists(st.tuples(*[st.integers(1, 1000)] * 4), max_size=64).map(tuple)
recordings = st.builds(
    headers.RecordingRef, node=names, bytes=epochs, missing=st.text(max_size=50), offset_s=seconds, round_trip_s=seconds
)
tiles_done = st.builds(
    TileDone, frame=frames, tile=tiles, worker=names, compute_ms=seconds, macs=epochs, fetch_bytes_per_s=seconds,
    strips=numbers, error=st.text(max_size=MAX_REASON_LENGTH),
)  # fmt: skip

VALID = {
    MessageKind.CAMERA: st.builds(camera_headers.CameraHeader, camera=names, offers=booleans),
    MessageKind.OFFER: st.builds(camera_headers.OfferHeader),
    MessageKind.FRAME: st.builds(
        camera_headers.FrameHeader, info=infos, capture_ms=seconds, invite_ms=seconds, cpu_ms=seconds
    ),
    MessageKind.READY: st.builds(camera_headers.ReadyHeader),
    MessageKind.OUTCOME: st.builds(camera_headers.OutcomeHeader, number=epochs, outcome=st.sampled_from(Outcome)),
    MessageKind.REPORT: st.builds(
        camera_headers.ReportHeader, counts=counts, ended=booleans, state=st.none() | st.sampled_from(State),
        reason=st.text(max_size=MAX_REASON_LENGTH), fps=seconds, width=st.just(0) | pixels, height=st.just(0) | pixels,
    ),
    MessageKind.CONTROL: st.builds(
        camera_headers.ControlHeader, detect=booleans, look=booleans, offers=booleans,
        fps=st.none() | st.floats(0.01, 240),
    ),
    MessageKind.TAKE: st.builds(
        headers.TakeHeader, thief=names, epoch=epochs, idle=booleans, reuses=booleans, again=st.none() | refs,
        fills_bars=booleans,
    ),
    MessageKind.TILE: st.builds(
        headers.TileHeader, info=infos, epoch=epochs, owner=names, tile=tiles, height=pixels, width=pixels,
        lease_s=seconds, reusing=booleans, wanted=numbers, attempt=epochs,
        workers=st.lists(workers, max_size=16).map(tuple), waited_ms=seconds,
    ),
    MessageKind.STRIPS_REQUEST: st.builds(
        headers.StripsRequestHeader, frame=frames, epoch=epochs, reader=tiles, givers=numbers
    ),
    MessageKind.STRIPS: st.builds(headers.StripsHeader, sizes=sizes),
    MessageKind.BORDER: st.builds(
        headers.BorderHeader, frame=frames, epoch=epochs, giver=tiles, reader=tiles, stage=tiles, attempt=epochs
    ),
    MessageKind.RESULT: st.builds(
        headers.ResultHeader, info=infos, epoch=epochs, owner=names, worker=names, tile=tiles, shapes=shapes,
        strips=sizes, compute_ms=seconds, macs=epochs, fetch_bytes_per_s=seconds, objects=st.none() | epochs,
    ),
    MessageKind.PROGRAM_REQUEST: st.builds(headers.ProgramRequestHeader, sha256=hashes),
    MessageKind.PROGRAM: st.builds(headers.ProgramHeader, sha256=hashes),
    MessageKind.PICTURE_REQUEST: st.builds(headers.PictureRequestHeader, frame=frames),
    MessageKind.PICTURE: st.builds(headers.PictureHeader, info=infos),
    MessageKind.SETTINGS_REQUEST: st.builds(headers.SettingsRequestHeader, camera=names, revision=epochs),
    MessageKind.SETTINGS: st.builds(headers.SettingsHeader),
    MessageKind.MEMBERS_REQUEST: st.builds(headers.MembersRequestHeader),
    MessageKind.MEMBERS: st.builds(headers.MembersHeader),
    MessageKind.LINK: st.builds(headers.LinkHeader, node=names),
    MessageKind.TILE_DONE: st.builds(headers.TileDoneHeader, done=tiles_done),
    MessageKind.FRAME_DONE: st.builds(
        headers.FrameDoneHeader, done=st.builds(FrameDone, frame=frames, outcome=st.sampled_from(Outcome))
    ),
    MessageKind.TRACE_REQUEST: st.builds(headers.TraceRequestHeader, seconds=st.floats(0, 3600), cluster=booleans),
    MessageKind.TRACE: st.builds(
        headers.TraceHeader, clock=seconds, recordings=st.lists(recordings, max_size=16).map(tuple)
    ),
    MessageKind.ABSENT: st.builds(headers.AbsentHeader, reason=st.text(max_size=50), later=booleans),
    MessageKind.REFUSED: st.builds(headers.RefusedHeader, reason=st.text(max_size=50)),
}  # fmt: skip

TILE: dict[str, Any] = {
    "info": {"frame": "door-1-7", "camera": "door", "number": 7, "captured_at": 1.5, "height": 576, "width": 768},
    "epoch": 3, "owner": "pi-1", "tile": 4, "height": 150, "width": 150, "lease_s": 1.0,
}  # fmt: skip


STRIPS_REQUEST: dict[str, Any] = {"frame": "door-1-7", "epoch": 3, "reader": 1, "givers": [0, 2, 4]}
BORDER: dict[str, Any] = {"frame": "door-1-7", "epoch": 3, "giver": 4, "reader": 1}
RESULT: dict[str, Any] = {**TILE, "worker": "pi-2", "shapes": [], "compute_ms": 1.0}


def test_every_kind_of_message_has_a_header():
    assert set(HEADERS) == set(MessageKind) == set(VALID)


@given(st.sampled_from(MessageKind).flatmap(VALID.__getitem__))
def test_a_header_survives_the_wire_within_its_cap(header):
    data = header.encode()
    assert HEADERS[header.kind].decode(data) == header
    assert len(data) <= MAX_HEADER_BYTES


def test_a_trace_of_as_many_missing_nodes_as_it_can_have_fits():
    ref = headers.RecordingRef(node="n" * 63, bytes=2**53, offset_s=-1 / 3, round_trip_s=1 / 3, missing="?" * 200)
    full = headers.TraceHeader(clock=1e6 / 3, recordings=(ref,) * headers.MAX_TRACED_NODES)
    assert len(full.encode()) <= MAX_HEADER_BYTES


@pytest.mark.parametrize("kind", MessageKind)
@pytest.mark.parametrize("data", [b"", b"null", b"[]", b"{", b"\xff\xfe", b"\x00" * 8, b'{"a": NaN}', b"7"])
def test_bytes_that_are_no_header_are_refused_with_the_kind(kind, data):
    if kind in {
        MessageKind.READY,
        MessageKind.OFFER,
        MessageKind.ABSENT,
        MessageKind.STRIPS,
        MessageKind.CONTROL,
        MessageKind.SETTINGS,
        MessageKind.MEMBERS_REQUEST,
        MessageKind.MEMBERS,
    } and data.startswith(b'{"a"'):
        assert HEADERS[kind].decode(data) == HEADERS[kind]()  # they need no field
        return
    with pytest.raises(ProtocolError, match=kind.name):
        HEADERS[kind].decode(data)


@given(st.sampled_from(MessageKind), st.binary(max_size=200))
def test_garbage_never_raises_anything_else(kind, data):
    try:
        HEADERS[kind].decode(data)
    except ProtocolError:
        return


@pytest.mark.parametrize("data", [b"[" * 60_000, b'{"epoch":' * 7000, b'{"epoch": ' + b"9" * 60_000])
def test_headers_made_to_exhaust_the_parser_are_refused(data):
    with pytest.raises(ProtocolError, match="TAKE"):
        TakeHeader.decode(data)


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        (headers.TakeHeader, {"thief": "pi-1", "epoch": 3}),
        (headers.TakeHeader, {"thief": "pi-1", "epoch": 3, "again": {"frame": "f", "tile": 1}}),
        (headers.TileHeader, TILE),
        (headers.StripsRequestHeader, STRIPS_REQUEST),
        (headers.StripsHeader, {"sizes": {"4": 100}}),
        (headers.BorderHeader, BORDER),
        (ResultHeader, RESULT),
        (headers.SettingsRequestHeader, {"camera": "door", "revision": 3}),
        (camera_headers.ReportHeader, {"counts": {"captured": 3}, "state": "offline", "reason": "no route"}),
        (camera_headers.ControlHeader, {"detect": False, "fps": 2.5}),
        (headers.AbsentHeader, {"reason": "no task is waiting for this node", "later": True}),
    ],
)
def test_an_unknown_field_is_ignored(kind, payload):
    later = json.dumps({**payload, "invented_later": [1]}).encode()
    assert kind.decode(later) == kind.decode(json.dumps(payload).encode())


def test_an_unknown_field_of_a_worker_or_of_a_task_is_ignored():
    worker = {"node": "pi-2", "host": "10.0.0.2", "port": 4000}
    header = headers.TileHeader.decode(json.dumps({**TILE, "workers": [{**worker, "invented_later": 1}]}).encode())
    assert header.workers == (headers.WorkerRef(**worker),)
    task = {"frame": "f", "tile": 1, "invented_later": 1}
    take = TakeHeader.decode(json.dumps({"thief": "pi-1", "epoch": 3, "again": task}).encode())
    assert take.again == headers.TaskRef(frame="f", tile=1)


def test_who_does_not_say_takes_a_tile_when_it_is_idle_and_computes_it_whole():
    take = TakeHeader(thief="pi-1", epoch=3)
    assert (take.idle, take.reuses, take.again, take.fills_bars) == (True, False, None, False)
    tile = headers.TileHeader.decode(json.dumps(TILE).encode())
    assert (tile.reusing, tile.wanted, tile.attempt, tile.workers) == (False, (), 0, ())


def test_what_is_absent_without_a_word_more_is_not_to_be_had_later_and_a_result_brings_no_strips():
    assert not headers.AbsentHeader.decode(b"{}").later
    assert ResultHeader.decode(json.dumps(RESULT).encode()).strips == {}


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"tile": -1}, "tile"),
        ({"tile": "first"}, "tile"),
        ({"height": 0}, "height"),
        ({"width": 16385}, "width"),
        ({"owner": "../etc"}, "owner"),
        ({"owner": "pi/1"}, "owner"),
        ({"owner": "pi-1\n"}, "owner"),
        ({"info": {**TILE["info"], "camera": "+"}}, "info.camera"),
        ({"info": {**TILE["info"], "frame": "x" * 200}}, "info.frame"),
        ({"info": None}, "info"),
        ({"reusing": "perhaps"}, "reusing"),
        ({"wanted": [1, 2, 3, 4, 5]}, "wanted"),
        ({"wanted": ["next"]}, "wanted.0"),
        ({"attempt": 1.5}, "attempt"),
        ({"workers": [{"node": "pi 2", "host": "", "port": 1}]}, "workers.0.node"),
        ({"workers": [{"node": "pi-2", "host": "", "port": 65536}]}, "workers.0.port"),
        ({"workers": [{"node": "pi-2", "port": 1}]}, "workers.0.host"),
        ({"workers": [{"node": "pi-2", "host": "", "port": 1}] * (MAX_WORKERS + 1)}, "workers"),
    ],
)
def test_a_field_that_cannot_be_is_refused_by_name(change, place):
    with pytest.raises(ProtocolError, match=rf"TILE: {place}: "):
        headers.TileHeader.decode(json.dumps({**TILE, **change}).encode())


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"frame": "../etc"}, "frame"),
        ({"frame": None}, "frame"),
        ({"givers": [-1]}, "givers.0"),
        ({"givers": [0, "next"]}, "givers.1"),
        ({"givers": [0, 1, 2, 3, 4]}, "givers"),
        ({"givers": 4}, "givers"),
        ({"reader": -1}, "reader"),
        ({"reader": "next"}, "reader"),
        ({"epoch": "now"}, "epoch"),
    ],
)
def test_a_request_for_strips_of_what_cannot_be_is_refused_by_name(change, place):
    with pytest.raises(ProtocolError, match=rf"STRIPS_REQUEST: {place}: "):
        headers.StripsRequestHeader.decode(json.dumps({**STRIPS_REQUEST, **change}).encode())


@pytest.mark.parametrize(
    ("sizes", "place"),
    [
        ({"1": -1}, "1"),
        ({"1": "much"}, "1"),
        ({"next": 5}, "next"),
        ({"-1": 5}, "-1"),
        ({str(tile): 5 for tile in range(5)}, ""),
        ([5], ""),
    ],
)
@pytest.mark.parametrize(
    ("kind", "field", "rest"),
    [(headers.StripsHeader, "sizes", {}), (ResultHeader, "strips", RESULT)],
    ids=["strips", "result"],
)
def test_sizes_of_strips_that_cannot_be_are_refused_by_name(kind, field, rest, sizes, place):
    with pytest.raises(ProtocolError, match=rf"{kind.kind.name}: {field}\.?{place}"):
        kind.decode(json.dumps({**rest, field: sizes}).encode())


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"frame": "../etc"}, "frame"),
        ({"frame": None}, "frame"),
        ({"giver": -1}, "giver"),
        ({"reader": -1}, "reader"),
        ({"reader": "next"}, "reader"),
        ({"epoch": "now"}, "epoch"),
        ({"stage": -1}, "stage"),
        ({"attempt": "first"}, "attempt"),
    ],
)
def test_a_border_of_what_cannot_be_is_refused_by_name(change, place):
    with pytest.raises(ProtocolError, match=rf"BORDER: {place}: "):
        headers.BorderHeader.decode(json.dumps({**BORDER, **change}).encode())


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"idle": "soon"}, "idle"),
        ({"reuses": None}, "reuses"),
        ({"again": {"frame": "f", "tile": -1}}, "again.tile"),
        ({"again": {"frame": "F", "tile": 1}}, "again.frame"),
        ({"again": "f"}, "again"),
    ],
)
def test_a_take_of_what_cannot_be_is_refused_by_name(change, place):
    with pytest.raises(ProtocolError, match=rf"TAKE: {place}: "):
        TakeHeader.decode(json.dumps({"thief": "pi-1", "epoch": 3, **change}).encode())


@pytest.mark.parametrize(
    ("change", "place"), [({"macs": -1}, "macs"), ({"fetch_bytes_per_s": -1}, "fetch_bytes_per_s")]
)
def test_a_result_that_took_less_than_nothing_is_refused_by_name(change, place):
    header = {**RESULT, **change}
    with pytest.raises(ProtocolError, match=rf"RESULT: {place}: "):
        ResultHeader.decode(json.dumps(header).encode())


def test_the_most_workers_that_a_tile_may_name_fit_the_cap_of_a_header():
    """With names as long as they may be, and addresses as IPv6 writes them."""
    worker = headers.WorkerRef(node="x" * 63, host="fe80:" + "1234:" * 6 + "1234", port=65535)
    cap = MAX_WORKERS
    tile = headers.TileHeader.decode(json.dumps({**TILE, "workers": [worker.model_dump()] * cap}).encode())
    assert len(tile.workers) == cap
    assert len(tile.encode()) <= MAX_HEADER_BYTES


def test_a_lease_that_is_no_number_is_refused():
    with pytest.raises(ProtocolError, match="lease_s"):
        headers.TileHeader.decode(json.dumps({**TILE, "lease_s": float("inf")}).encode())


@pytest.mark.parametrize("shape", [[[1, 2, 3]], [[1, 2, 3, 4, 5]], [[1, 2, 3, "x"]], [[1, 1, 1, 1]] * 65])
def test_a_result_of_other_shapes_is_refused(shape):
    header = {**RESULT, "shapes": shape}
    with pytest.raises(ProtocolError, match="RESULT: shapes"):
        ResultHeader.decode(json.dumps(header).encode())


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"camera": "../etc"}, "camera"),
        ({"camera": "Door"}, "camera"),
        ({"camera": None}, "camera"),
        ({"revision": "newest"}, "revision"),
        ({"revision": 1.5}, "revision"),
        ({"revision": None}, "revision"),
    ],
)
def test_a_request_for_settings_of_what_cannot_be_is_refused_by_name(change, place):
    header = {"camera": "door", "revision": 3, **change}
    with pytest.raises(ProtocolError, match=rf"SETTINGS_REQUEST: {place}: "):
        headers.SettingsRequestHeader.decode(json.dumps(header).encode())


@pytest.mark.parametrize(
    ("kind", "change", "place"),
    [
        (camera_headers.ControlHeader, {"detect": "perhaps"}, "detect"),
        (camera_headers.ControlHeader, {"fps": 0}, "fps"),
        (camera_headers.ControlHeader, {"fps": 241}, "fps"),
        (camera_headers.ReportHeader, {"state": "tired"}, "state"),
        (camera_headers.ReportHeader, {"reason": "x" * (MAX_REASON_LENGTH + 1)}, "reason"),
        (camera_headers.ReportHeader, {"fps": -1}, "fps"),
        (camera_headers.ReportHeader, {"width": -1}, "width"),
        (camera_headers.ReportHeader, {"height": 0.5}, "height"),
    ],
)
def test_of_a_camera_what_cannot_be_is_refused_by_name(kind, change, place):
    with pytest.raises(ProtocolError, match=rf"{kind.kind.name}: {place}: "):
        kind.decode(json.dumps({"counts": {}, **change}).encode())


def test_a_camera_of_an_earlier_release_does_not_say_how_it_is():
    report = camera_headers.ReportHeader.decode(b'{"counts": {}}')
    assert (report.state, report.reason, report.fps, report.width, report.height) == (None, "", 0, 0, 0)
    assert camera_headers.ControlHeader.decode(b"{}") == camera_headers.ControlHeader(detect=True, fps=None)
