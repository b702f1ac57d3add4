from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.cluster.collector import MAX_REMEMBERED_FRAMES, Collector, Receipt
from shared.ftp.grid import Grid
from shared.ftp.tiles import partition
from shared.payloads.cluster import TileCounts
from shared.payloads.frames import FrameInfo, Outcome
from tests.extent import examples
from tests.networks import ModelBuilder

SHAPE = (1, 2, 8, 8)
DEADLINE_S = 10.0


def two_by_two():
    build = ModelBuilder(8, 8)
    conv = build.conv("image", 2, 3, pads=[1] * 4)
    return partition(build.network(conv), [conv], Grid(2, 2))


STAGE = two_by_two()
TILES = range(4)


def collector_of(capacity=2):
    return Collector(STAGE, [SHAPE], capacity, DEADLINE_S)


def frame(name="f"):
    return FrameInfo(frame=name, camera="door", number=0, captured_at=0.0, height=8, width=8)


def result(value=1.0):
    return [np.full((1, 2, 4, 4), value, np.float32)]


def place(collector, tile, *, name="f", owner="a", worker="a", value=1.0, now=0.0):
    return collector.merge_result(frame(name), owner, worker, tile, result(value), now)


def complete(collector, name="f", **kwargs):
    return [place(collector, tile, name=name, **kwargs) for tile in TILES]


def test_the_first_result_opens_a_frame():
    collector = collector_of()
    assert place(collector, 2, now=7.0) is Receipt.PLACED
    assembly = collector.get_assembly("f")
    assert (assembly.owner, assembly.opened_at) == ("a", 7.0)
    assert assembly.merged.missing == {0, 1, 3}


def test_an_announcement_opens_a_frame_before_its_results():
    collector = collector_of()
    opened = collector.open_frame(frame(), "a", now=5.0)
    place(collector, 0, now=6.0)
    assert collector.get_assembly("f") is opened
    assert opened.opened_at == 5.0


def test_the_last_result_completes_a_frame():
    collector = collector_of()
    assert complete(collector) == [Receipt.PLACED] * 3 + [Receipt.COMPLETED]
    assert (collector.get_assembly("f").merged.maps[0] == 1).all()


def test_a_frame_knows_when_it_was_completed():
    collector = collector_of()
    for tile in TILES:
        place(collector, tile, now=float(tile))
    assert collector.get_assembly("f").completed_at == 3.0


def test_a_second_result_is_counted_and_ignored():
    collector = collector_of()
    place(collector, 0, value=1.0)
    assert place(collector, 0, value=2.0, worker="b") is Receipt.DUPLICATE
    assembly = collector.get_assembly("f")
    assert assembly.duplicates == 1
    assert assembly.merged.maps[0].max() == 1.0
    assert assembly.tile_counts() == {"a": TileCounts(own=1)}


def test_a_second_result_of_a_complete_frame_is_ignored_too():
    collector = collector_of()
    complete(collector)
    assert place(collector, 3, value=9.0) is Receipt.DUPLICATE
    assert collector.get_assembly("f").merged.maps[0].max() == 1.0


def test_a_result_of_a_finished_frame_is_late():
    collector = collector_of()
    complete(collector)
    collector.close_frame("f")
    assert place(collector, 0) is Receipt.LATE
    assert collector.open_frame(frame(), "a", 0.0) is None
    assert collector.assemblies() == []


def test_tiles_are_counted_by_node_own_and_stolen():
    collector = collector_of()
    for tile, worker in enumerate(["b", "a", "a", "c"]):
        place(collector, tile, owner="a", worker=worker)
    assert collector.get_assembly("f").tile_counts() == {
        "a": TileCounts(own=2), "b": TileCounts(stolen=1), "c": TileCounts(stolen=1),
    }  # fmt: skip


def test_a_frame_without_room_is_turned_away():
    collector = collector_of(capacity=2)
    place(collector, 0, name="first")
    place(collector, 0, name="second")
    assert place(collector, 0, name="third") is Receipt.FULL
    assert collector.open_frame(frame("third"), "a", 0.0) is None
    assert not collector.is_finished("third")
    assert [assembly.info.frame for assembly in collector.assemblies()] == ["first", "second"]


def test_a_closed_frame_makes_room():
    collector = collector_of(capacity=1)
    place(collector, 0, name="first")
    collector.close_frame("first")
    assert place(collector, 0, name="second") is Receipt.PLACED


def test_maps_are_used_again_without_the_values_of_the_frame_before():
    collector = collector_of(capacity=1)
    complete(collector, "first", value=1.0)
    memory = collector.get_assembly("first").merged.maps[0].ctypes.data
    collector.close_frame("first")
    receipts = complete(collector, "second", value=2.0)
    assert receipts == [Receipt.PLACED] * 3 + [Receipt.COMPLETED]
    made = collector.get_assembly("second").merged.maps[0]
    assert made.ctypes.data == memory
    assert (made == 2.0).all()


def test_two_frames_at_once_do_not_share_maps():
    collector = collector_of(capacity=2)
    for tile in TILES:
        place(collector, tile, name="first", value=1.0)
        place(collector, tile, name="second", value=2.0)
    assert (collector.get_assembly("first").merged.maps[0] == 1.0).all()
    assert (collector.get_assembly("second").merged.maps[0] == 2.0).all()


def test_a_result_of_another_shape_is_refused_and_its_tile_stays_missing():
    collector = collector_of()
    with pytest.raises(ValueError, match="tile 0, whose region has"):
        collector.merge_result(frame(), "a", "a", 0, [np.zeros((1, 2, 4, 5), np.float32)], 0.0)
    assert place(collector, 0) is Receipt.PLACED


def test_the_plan_says_which_shapes_a_tile_has():
    assert collector_of().result_shapes(3) == [(1, 2, 4, 4)]
    assert collector_of().result_shapes(4) is None


def test_an_incomplete_frame_is_overdue_at_its_deadline():
    collector = collector_of()
    place(collector, 0, now=5.0)
    assert collector.overdue(5.0 + DEADLINE_S - 0.001) == []
    assert collector.overdue(5.0 + DEADLINE_S) == [(collector.get_assembly("f"), Outcome.DEADLINE)]


def test_later_results_do_not_move_the_deadline():
    collector = collector_of()
    place(collector, 0, now=0.0)
    place(collector, 1, now=9.0)
    assert len(collector.overdue(DEADLINE_S)) == 1


def test_a_complete_frame_is_not_overdue_while_it_is_finished():
    collector = collector_of()
    complete(collector)
    assert collector.overdue(1e9) == []


def test_only_the_frames_that_are_late_are_overdue():
    collector = collector_of()
    place(collector, 0, name="old", now=0.0)
    place(collector, 0, name="young", now=5.0)
    assert [assembly.info.frame for assembly, _ in collector.overdue(DEADLINE_S)] == ["old"]


def test_the_incomplete_frames_of_a_lost_owner_are_orphaned():
    collector = collector_of(capacity=3)
    place(collector, 0, name="of-a", owner="a")
    place(collector, 0, name="of-b", owner="b", worker="a")
    complete(collector, "done", owner="a")
    assert collector.orphaned("a") == [(collector.get_assembly("of-a"), Outcome.OWNER_LOST)]
    assert collector.orphaned("stranger") == []


def test_closing_a_frame_that_was_never_open_makes_its_results_late():
    collector = collector_of(capacity=1)
    collector.close_frame("f")
    assert collector.is_finished("f")
    assert place(collector, 0) is Receipt.LATE
    assert place(collector, 0, name="other") is Receipt.PLACED


def test_closing_twice_does_not_give_room_twice():
    collector = collector_of(capacity=1)
    place(collector, 0, name="first")
    collector.close_frame("first")
    collector.close_frame("first")
    place(collector, 0, name="second")
    assert place(collector, 0, name="third") is Receipt.FULL


def test_finished_frames_are_remembered_up_to_a_bound():
    collector = collector_of(capacity=1)
    for number in range(MAX_REMEMBERED_FRAMES + 1):
        collector.close_frame(f"f{number}")
    assert not collector.is_finished("f0")
    assert collector.is_finished("f1")
    assert collector.is_finished(f"f{MAX_REMEMBERED_FRAMES}")


@settings(max_examples=examples(60))
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3), st.integers(0, 1)), max_size=80), st.integers(1, 3))
def test_every_captured_frame_is_open_or_turned_away_or_has_one_end(events, capacity):
    collector = collector_of(capacity)
    captured, published, dropped, now = set(), [], [], 0.0
    for number, tile, late in events:
        now += 4.0 if late else 0.1
        name = f"f{number}"
        captured.add(name)
        receipt = place(collector, tile, name=name, now=now)
        if receipt is Receipt.COMPLETED:
            published.append(name)
            collector.close_frame(name)
        elif receipt is Receipt.FULL:
            dropped.append(name)
            collector.close_frame(name)
        for assembly, outcome in collector.overdue(now):
            assert outcome is Outcome.DEADLINE
            dropped.append(assembly.info.frame)
            collector.close_frame(assembly.info.frame)
    under_way = [assembly.info.frame for assembly in collector.assemblies()]
    assert sorted([*published, *dropped, *under_way]) == sorted(captured)
    assert len(under_way) <= capacity


# tiles that are not computed


def failed(collector, tile, worker, *, name="f", owner="a"):
    return collector.on_tile_failed(frame(name), owner, worker, tile, 0.0)


def hopeless(collector, *able, together=False):
    return [
        (assembly.info.frame, outcome) for assembly, outcome in collector.hopeless(frozenset(able), together=together)
    ]


def test_who_computed_which_tile_is_known():
    collector = collector_of()
    place(collector, 2, worker="a")
    place(collector, 0, worker="b")
    assert collector.get_assembly("f").workers == {2: "a", 0: "b"}


def test_a_frame_is_hopeless_when_nobody_is_left_for_one_of_its_tiles():
    collector = collector_of()
    assert failed(collector, 1, "a")
    assert hopeless(collector, "a", "b") == []
    assert failed(collector, 1, "b")
    assert hopeless(collector, "a", "b", "c") == []
    assert hopeless(collector, "a", "b") == [("f", Outcome.FAILED)]


def test_different_tiles_may_fail_at_different_nodes_unless_they_are_computed_together():
    collector = collector_of()
    failed(collector, 1, "a")
    failed(collector, 2, "b")
    assert hopeless(collector, "a", "b") == []
    assert hopeless(collector, "a", "b", together=True) == [("f", Outcome.FAILED)]


def test_a_tile_that_is_there_or_a_frame_that_is_finished_has_not_failed():
    collector = collector_of()
    place(collector, 1, worker="b")
    assert not failed(collector, 1, "a")
    complete(collector)
    assert hopeless(collector) == []
    collector.close_frame("f")
    assert not failed(collector, 0, "a")


def test_where_nobody_may_compute_every_incomplete_frame_is_hopeless():
    collector = collector_of()
    place(collector, 1)
    assert hopeless(collector) == [("f", Outcome.FAILED)]
