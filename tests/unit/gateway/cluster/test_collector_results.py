from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from gateway.cluster.collector import Receipt, split_result
from shared.errors import ProtocolError
from shared.payloads.frames import FrameInfo
from shared.wire.headers import ResultHeader
from tests.unit.gateway.cluster.test_collector import collector_of

SHAPES = ((1, 2, 3, 4), (1, 1, 5, 2))
INFO = FrameInfo(frame="f", camera="door", number=0, captured_at=0.0, height=8, width=8)


def result_of(shapes=SHAPES, strips=None, maps="float32"):
    return ResultHeader(
        info=INFO, epoch=1, owner="a", worker="b", tile=3, shapes=shapes, strips=strips or {}, compute_ms=1.0, maps=maps
    )  # fmt: skip


def payload_of(*arrays):
    return np.frombuffer(b"".join(array.tobytes() for array in arrays), np.uint8)


def test_a_payload_is_split_into_the_maps_that_were_sent():
    sent = [np.random.default_rng(1).standard_normal(shape).astype(np.float32) for shape in SHAPES]
    maps, strips = split_result(result_of(), payload_of(*sent), SHAPES)
    for made, expected in zip(maps, sent, strict=True):
        np.testing.assert_array_equal(made, expected)
    assert strips == {}


def test_maps_in_half_precision_become_single_precision_again():
    sent = [np.random.default_rng(1).standard_normal(shape).astype(np.float16) for shape in SHAPES]
    for_two = np.arange(7, dtype=np.uint8)
    maps, strips = split_result(result_of(strips={2: 7}, maps="float16"), payload_of(*sent, for_two), SHAPES)
    for made, expected in zip(maps, sent, strict=True):
        assert made.dtype == np.float32
        np.testing.assert_array_equal(made, expected)
    np.testing.assert_array_equal(strips[2], for_two)


def test_behind_the_maps_are_the_strips_by_reader():
    maps = [np.random.default_rng(1).standard_normal(shape).astype(np.float32) for shape in SHAPES]
    for_two, for_five = np.arange(7, dtype=np.uint8), np.arange(3, dtype=np.float32)
    header = ResultHeader.decode(result_of(strips={5: for_five.nbytes, 2: for_two.nbytes}).encode())
    made, strips = split_result(header, payload_of(*maps, for_five, for_two), SHAPES)
    for array, expected in zip(made, maps, strict=True):
        np.testing.assert_array_equal(array, expected)
    assert list(strips) == [5, 2]
    np.testing.assert_array_equal(strips[2], for_two)
    np.testing.assert_array_equal(strips[5].view(np.float32), for_five)


def test_neither_maps_nor_strips_are_copied():
    payload = np.zeros(4 * (24 + 10) + 5, np.uint8)
    maps, strips = split_result(result_of(strips={1: 5}), payload, SHAPES)
    assert len(maps) == 2
    assert all(np.shares_memory(made, payload) for made in (*maps, strips[1]))


@pytest.mark.parametrize(
    ("sizes", "size"),
    [({}, 137), ({1: 5}, 136), ({1: 5}, 140), ({1: 5}, 142), ({1: 5, 2: 0}, 140), ({1: 2, 2: 3}, 139), ({1: 200}, 335)],
)
def test_strips_of_another_length_than_the_header_says_are_refused(sizes, size):
    with pytest.raises(ProtocolError, match=rf"b sent tile 3 with {size} bytes instead of 136 and its strips"):
        split_result(result_of(strips=sizes), np.zeros(size, np.uint8), SHAPES)


def test_strips_do_not_make_up_for_maps_that_are_missing():
    with pytest.raises(ProtocolError, match="the plan has"):
        split_result(result_of(SHAPES[:1], {1: 40}), np.zeros(136, np.uint8), SHAPES)


@pytest.mark.parametrize("change", [-4, -1, 1, 4, -136])
def test_a_payload_of_another_length_is_refused_with_both(change):
    with pytest.raises(ProtocolError, match=rf"b sent tile 3 with {136 + change} bytes instead of 136"):
        split_result(result_of(), np.zeros(136 + change, np.uint8), SHAPES)


@pytest.mark.parametrize("shapes", [SHAPES[:1], SHAPES[::-1], (), ((1, 2, 4, 3), SHAPES[1]), (*SHAPES, (1, 1, 1, 1))])
def test_shapes_that_are_not_of_the_plan_are_refused(shapes):
    size = 4 * sum(int(np.prod(shape)) for shape in shapes)
    with pytest.raises(ProtocolError, match=r"b sent tile 3 with shapes .*; the plan has"):
        split_result(result_of(shapes), np.zeros(size, np.uint8), SHAPES)


def test_a_tile_that_the_plan_does_not_have_is_refused():
    with pytest.raises(ProtocolError, match="tile 3"):
        split_result(result_of(), np.zeros(136, np.uint8), None)


def test_negative_sizes_do_not_cancel_out():
    with pytest.raises(ValidationError, match="greater than or equal to 0"):
        result_of(((1, 2, -3, -4), SHAPES[1]))


STAGE_SHAPES = (1, 2, 4, 4)


def wire_result(tile=3, *, frame="f", value=1.0, strips=None):
    """A result of a tile of a two-by-two stage, and its payload."""
    strips = strips or {}
    info = INFO.model_copy(update={"frame": frame})
    header = ResultHeader(
        info=info, epoch=1, owner="a", worker="b", tile=tile, shapes=(STAGE_SHAPES,), compute_ms=1.0,
        strips={reader: array.nbytes for reader, array in strips.items()},
    )  # fmt: skip
    return header, payload_of(np.full(STAGE_SHAPES, value, np.float32), *strips.values())


def strips_of(*values):
    return {reader: np.full(2, reader, np.uint8) for reader in values}


def test_strips_are_kept_by_giver_and_reader_until_their_frame_is_closed():
    collector = collector_of()
    assert collector.add_result(*wire_result(3, strips=strips_of(0, 1)), 0.0) is Receipt.PLACED
    assert collector.add_result(*wire_result(2, strips=strips_of(0)), 0.0) is Receipt.PLACED
    assert collector.kept_readers("f", 3) == (0, 1)
    assert collector.kept_readers("f", 0) == collector.kept_readers("g", 3) == ()
    kept = collector.kept_strips("f", [3, 2, 1], 0)
    assert {giver: [array.tolist() for array in arrays] for giver, arrays in kept.items()} == {3: [[0, 0]], 2: [[0, 0]]}
    collector.close_frame("f")
    assert collector.kept_strips("f", [3, 2], 0) == {}


def test_strips_of_a_frame_that_is_closed_are_not_kept():
    collector = collector_of()
    collector.close_frame("f")
    assert collector.add_result(*wire_result(strips=strips_of(0)), 0.0) is Receipt.LATE
    assert collector.kept_readers("f", 3) == ()


def test_strips_are_copied_as_they_came_with_maps_that_are_not_kept():
    collector = collector_of()
    header, payload = wire_result(strips=strips_of(1))
    collector.add_result(header, payload, 0.0)
    ((kept,),) = collector.kept_strips("f", [3], 1).values()
    assert not np.shares_memory(kept, payload)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_result_that_is_not_finite_changes_nothing(value):
    collector = collector_of()
    assert collector.add_result(*wire_result(value=value, strips=strips_of(0)), 0.0) is Receipt.NOT_FINITE
    assert (collector.assemblies(), collector.kept_readers("f", 3)) == ([], ())


def test_a_result_of_a_tile_that_the_plan_does_not_have_is_refused():
    with pytest.raises(ProtocolError, match="the plan has None"):
        collector_of().add_result(*wire_result(4), 0.0)
