from __future__ import annotations

import threading

import numpy as np
import pytest

from camera_sources.source import Source
from shared.errors import SourceError
from tests.unit.camera_sources.agent.readers import Brightening, Listener, numbers, reader_of


def test_pictures_are_numbered_from_zero_and_stamped_in_order():
    heard = Listener(reader_of(Brightening(5))).listen()
    assert numbers(heard.shots) == [0, 1, 2, 3, 4]
    assert [shot.picture[0, 0, 0] for shot in heard.shots] == [0, 1, 2, 3, 4]
    stamps = [shot.captured_at for shot in heard.shots]
    assert stamps == sorted(stamps)
    assert heard.reader.captured == 5


def test_a_reader_ends_after_so_many_frames():
    heard = Listener(reader_of(Brightening(50), frames=3)).listen()
    assert numbers(heard.shots) == [0, 1, 2]
    assert heard.reader.captured == 3


def test_a_reader_with_fewer_pictures_than_frames_ends_with_the_source():
    assert numbers(Listener(reader_of(Brightening(2), frames=9)).listen().shots) == [0, 1]


def test_a_loop_begins_again_and_goes_on_counting():
    source = Brightening(2)
    heard = Listener(reader_of(source, loop=True, frames=5)).listen()
    assert numbers(heard.shots) == [0, 1, 2, 3, 4]
    assert [shot.picture[0, 0, 0] for shot in heard.shots] == [0, 1, 0, 1, 0]
    assert source.begun == 3


def test_pictures_that_nobody_takes_are_superseded_by_newer_ones():
    heard = Listener(reader_of(Brightening(4)), takes=False).listen()
    assert numbers(heard.superseded) == [0, 1, 2]
    assert heard.reader.mailbox.take_shot().number == 3


def test_every_frame_waits_for_the_mailbox_and_supersedes_nothing():
    reader = reader_of(Brightening(5), every_frame=True)
    came = threading.Semaphore(0)
    ended = threading.Event()
    superseded = []

    def on_shot(older):
        superseded.append(older)
        came.release()

    reader.start(on_shot, ended.set)
    for number in range(5):
        assert came.acquire(timeout=60)
        assert reader.captured == number + 1
        taken = reader.mailbox.take_shot()
        assert taken is not None
        assert taken.number == number
    assert ended.wait(60)
    assert superseded == [None] * 5


def test_an_error_of_the_source_ends_the_reader_and_is_kept():
    error = SourceError("the cable is out")
    heard = Listener(reader_of(Brightening(2, error))).listen()
    assert numbers(heard.shots) == [0, 1]
    assert heard.reader.error is error


def test_a_source_that_ends_well_leaves_no_error():
    assert Listener(reader_of(Brightening(2))).listen().reader.error is None


@pytest.mark.parametrize("every_frame", [True, False])
def test_a_reader_that_is_stopped_ends(every_frame):
    reader = reader_of(Brightening(3), loop=True, fps=0.01, every_frame=every_frame)
    came, ended = threading.Event(), threading.Event()
    reader.start(lambda _: came.set(), ended.set)
    assert came.wait(60)
    reader.stop()
    assert ended.wait(60)
    reader.join(60)
    assert reader.captured == 1
    assert reader.error is None


def test_a_reader_stopped_before_its_start_captures_nothing():
    reader = reader_of(Brightening(3))
    reader.stop()
    assert Listener(reader).listen().shots == []


def test_a_loop_over_nothing_asks_only_so_often():
    class Empty(Source):
        fps = 1000.0
        asked = 0

        def pictures(self):
            self.asked += 1
            if self.asked > 1000:
                raise SourceError("asked a thousand times")
            yield from ()

    reader = reader_of(Empty(), loop=True)
    Listener(reader).listen()
    assert "thousand" not in str(reader.error)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_failure_that_nobody_foresaw_is_no_end_of_the_source():
    reader = reader_of(Brightening(2, OSError("stale file handle")))
    Listener(reader).listen()
    assert reader.error is not None


def test_a_picture_too_large_for_the_data_plane_ends_the_source_with_its_size():
    class Poster(Source):
        fps = 1000.0

        def pictures(self):
            yield np.zeros((1, 16385, 3), np.uint8)

    reader = reader_of(Poster())
    Listener(reader).listen()
    assert "16385x1 pixels is too large: at most 16384 pixels a side" in str(reader.error)
    assert reader.captured == 0
