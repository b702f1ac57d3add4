from __future__ import annotations

import random

from shared.wire.read_ahead import ReadAhead


def put(ahead, data):
    """Receive as much of some bytes as there is room for; returns the rest."""
    count = min(len(ahead.room), len(data))
    ahead.room[:count] = data[:count]
    ahead.add(count)
    return data[count:]


def take(ahead, count):
    target = bytearray(count)
    missing = len(ahead.take_into(memoryview(target)))
    return bytes(target[: count - missing])


def test_what_was_received_is_taken_in_order_and_once():
    ahead = ReadAhead(8)
    assert put(ahead, b"abcde") == b""
    assert (len(ahead), bytes(ahead.peek(2)), bytes(ahead.peek(20))) == (5, b"ab", b"abcde")
    assert take(ahead, 2) == b"ab"
    assert take(ahead, 20) == b"cde"
    assert (len(ahead), take(ahead, 1)) == (0, b"")


def test_a_full_buffer_has_no_room_until_something_is_taken():
    ahead = ReadAhead(4)
    assert put(ahead, b"abcdef") == b"ef"
    assert len(ahead.room) == 0
    assert take(ahead, 3) == b"abc"
    assert put(ahead, b"efgh") == b"h"
    assert take(ahead, 9) == b"defg"


def test_a_long_stream_in_pieces_of_any_size_stays_the_same():
    chance = random.Random(3)
    stream = chance.randbytes(10_000)
    ahead, left, taken = ReadAhead(64), stream, b""
    while left or ahead:
        piece = chance.randint(0, 80)
        left = put(ahead, left[:piece]) + left[piece:]
        taken += take(ahead, chance.randint(0, 80))
    assert taken == stream
