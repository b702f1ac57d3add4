"""The frames of an edge's cameras that have no outcome yet."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from edge.frames.frames_under_way import FramesUnderWay
from shared.payloads.frames import MAX_EARLIER_FRAMES, FrameInfo, frame_name


def owned(number, session="door-1a2b", side=2):
    return SimpleNamespace(
        info=FrameInfo(
            frame=frame_name(session, number), camera=session.partition("-")[0], number=number, captured_at=0.0,
            height=side, width=side,
        ),
        picture=np.zeros((side, side, 3), np.uint8), pixels=np.zeros((4, 4, 3), np.uint8),
    )  # fmt: skip


def test_frames_are_found_until_they_are_removed():
    frames = FramesUnderWay(0.0)
    first = owned(1)
    frames.add(first, 0.0)
    name = first.info.frame
    assert (name in frames, frames.find(name), list(frames), len(frames)) == (True, first, [first], 1)
    assert frames.remove(name, 4.0) is first
    assert (name in frames, frames.find(name), frames.remove(name, 4.0), len(frames)) == (False, None, None, 0)
    assert frames.take_mean(8.0) == 0.5


def test_a_frame_knows_the_earlier_ones_of_its_session():
    frames = FramesUnderWay(0.0)
    for frame in (owned(7), owned(3), owned(5, "yard-1a2b"), owned(9, "door-0f00")):
        frames.add(frame, 0.0)
    assert frames.numbers_before(owned(8).info) == (3, 7)
    frames.remove(owned(3).info.frame, 0.0)
    assert frames.numbers_before(owned(8).info) == (7,)
    assert frames.numbers_before(owned(1, "gate-1a2b").info) == ()


def test_of_many_earlier_frames_the_last_ones_count():
    frames = FramesUnderWay(0.0)
    for number in range(2 * MAX_EARLIER_FRAMES):
        frames.add(owned(number), 0.0)
    earlier = frames.numbers_before(owned(99).info)
    assert earlier == tuple(range(MAX_EARLIER_FRAMES, 2 * MAX_EARLIER_FRAMES))


def test_the_memory_of_the_largest_frame_is_known():
    frames = FramesUnderWay(0.0)
    assert frames.largest_bytes == 1
    for number, side in enumerate((2, 100, 10)):
        frames.add(owned(number, side=side), 0.0)
    assert frames.largest_bytes == 3 * 100 * 100 + 3 * 4 * 4
