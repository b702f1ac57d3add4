from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from shared.ftp.strip_cache import StripCache, split_strips


def strips(size, count=1, value=0):
    """So many arrays of `size` bytes together."""
    return [np.full(size // count, value, np.uint8) for _ in range(count)]


def cache_of(cap, *puts):
    cache = StripCache(cap)
    for frame, key, size in puts:
        cache.put(frame, key, strips(size))
    return cache


def test_what_was_put_is_found_again():
    cache = StripCache(100)
    kept = strips(12, count=3)
    cache.put("f", (0, 1), kept)
    assert cache.get("f", (0, 1)) is kept
    assert cache.bytes == 12


def test_what_never_was_put_is_not_found():
    cache = cache_of(100, ("f", (0, 1), 10))
    assert cache.get("f", (1, 0)) is None
    assert cache.get("g", (0, 1)) is None
    assert cache.keys("g") == ()


def test_keys_are_in_the_order_in_which_they_came():
    cache = cache_of(100, ("f", 7, 1), ("g", 1, 1), ("f", 3, 1), ("f", 5, 1))
    assert cache.keys("f") == (7, 3, 5)


def test_floats_weigh_their_bytes():
    cache = StripCache(100)
    cache.put("f", 0, [np.zeros((1, 2, 3, 4), np.float32)])
    assert cache.bytes == 96


def test_the_oldest_frame_makes_room_and_goes_as_a_whole():
    cache = cache_of(30, ("old", 0, 5), ("old", 1, 5), ("young", 0, 10), ("new", 0, 15))
    assert cache.keys("old") == ()
    assert (cache.keys("young"), cache.keys("new")) == ((0,), (0,))
    assert cache.bytes == 25


def test_no_more_frames_go_than_are_needed():
    cache = cache_of(30, ("a", 0, 10), ("b", 0, 10), ("c", 0, 10), ("d", 0, 10))
    assert [cache.get(frame, 0) is not None for frame in "abcd"] == [False, True, True, True]


def test_a_frame_that_gets_more_stays_as_old_as_it_is():
    cache = cache_of(30, ("a", 0, 10), ("b", 0, 10), ("a", 1, 5), ("c", 0, 10))
    assert (cache.keys("a"), cache.keys("b"), cache.keys("c")) == ((), (0,), (0,))


def test_the_oldest_frame_does_not_make_room_for_itself():
    cache = cache_of(30, ("old", 0, 20), ("new", 0, 10), ("old", 1, 5))
    assert (cache.keys("old"), cache.keys("new")) == ((0,), (0,))
    assert cache.bytes == 30


def test_what_fills_the_cache_is_kept_and_what_is_larger_is_not():
    assert cache_of(30, ("f", 0, 30)).keys("f") == (0,)
    cache = cache_of(30, ("f", 0, 31))
    assert (cache.keys("f"), cache.bytes) == ((), 0)


def test_what_can_never_be_kept_drives_out_nothing():
    cache = cache_of(30, ("a", 0, 10), ("b", 0, 10), ("c", 0, 31))
    assert (cache.keys("a"), cache.keys("b"), cache.bytes) == ((0,), (0,), 20)


def test_the_second_under_a_key_replaces_the_first():
    cache = cache_of(100, ("f", 0, 40))
    second = strips(30)
    cache.put("f", 0, second)
    assert cache.get("f", 0) is second
    assert (cache.keys("f"), cache.bytes) == ((0,), 30)


def test_what_is_replaced_makes_room_first():
    cache = cache_of(30, ("a", 0, 10), ("b", 0, 20))
    second = strips(18)
    cache.put("b", 0, second)
    assert cache.get("b", 0) is second
    assert cache.get("a", 0) is not None
    assert cache.bytes == 28


def test_a_dropped_frame_is_forgotten_with_its_bytes():
    cache = cache_of(100, ("f", 0, 10), ("f", 1, 10), ("g", 0, 10))
    cache.drop_frame("f")
    assert (cache.keys("f"), cache.keys("g"), cache.bytes) == ((), (0,), 10)


def test_dropping_what_is_not_there_changes_nothing():
    cache = cache_of(100, ("f", 0, 10))
    cache.drop_frame("g")
    cache.drop_frame("f")
    cache.drop_frame("f")
    assert cache.bytes == 0


puts = st.tuples(st.sampled_from("abcd"), st.integers(0, 3), st.integers(0, 45))


@given(st.integers(1, 60), st.lists(puts | st.sampled_from("abcd"), max_size=60))
def test_it_never_holds_more_than_its_cap_and_knows_what_it_holds(cap, steps):
    """A step is strips that come, or a frame that is finished."""
    cache = StripCache(cap)
    last = {}
    for step in steps:
        if isinstance(step, str):
            cache.drop_frame(step)
            last = {place: kept for place, kept in last.items() if place[0] != step}
        else:
            frame, key, size = step
            last[frame, key] = strips(size)
            before = cache.get(frame, key)
            cache.put(frame, key, last[frame, key])
            found = cache.get(frame, key)
            assert found is last[frame, key] or found is before
        held = {(frame, key): cache.get(frame, key) for frame in "abcd" for key in cache.keys(frame)}
        assert cache.bytes == sum(array.nbytes for kept in held.values() for array in kept) <= cap
        assert set(held) <= set(last)


@given(st.integers(1, 60), st.lists(puts, max_size=60))
def test_what_fits_beside_the_rest_of_the_newest_frame_is_always_kept(cap, steps):
    cache = StripCache(cap)
    frames = []
    for frame, key, size in steps:
        rest = sum(array.nbytes for other in cache.keys(frame) if other != key for array in cache.get(frame, other))
        newest = not cache.keys(frame) or frame == frames[-1]
        kept = strips(size)
        cache.put(frame, key, kept)
        if newest and rest + size <= cap:
            assert cache.get(frame, key) is kept
        frames = [other for other in dict.fromkeys([*frames, frame]) if cache.keys(other)]


@given(st.dictionaries(st.integers(0, 99), st.integers(0, 40), max_size=6))
def test_strips_that_came_one_after_the_other_are_told_apart(sizes):
    payload = np.random.default_rng(1).integers(0, 256, sum(sizes.values()), np.uint8)
    parts = split_strips(payload, sizes)
    assert {tile: part.size for tile, part in parts.items()} == sizes
    assert np.array_equal(np.concatenate([payload[:0], *parts.values()]), payload)


def test_strips_are_in_the_order_in_which_their_sizes_are_said():
    parts = split_strips(np.arange(6, dtype=np.uint8), {7: 1, 3: 2, 5: 3})
    assert {tile: part.tolist() for tile, part in parts.items()} == {7: [0], 3: [1, 2], 5: [3, 4, 5]}


def test_strips_that_are_told_apart_are_not_copied():
    payload = np.zeros(6, np.uint8)
    assert all(np.shares_memory(part, payload) for part in split_strips(payload, {7: 1, 3: 5}).values())
