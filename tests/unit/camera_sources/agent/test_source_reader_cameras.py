"""A reader of a camera: it is opened again whatever happens, and says what is wrong."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from camera_sources.agent import source_reader as reading
from camera_sources.open_source import open_source
from camera_sources.source import Grab, LiveSource, NoPictureError, WrongPasswordError
from shared.errors import ConfigurationError, SourceError
from shared.payloads.cluster import State
from tests.unit.camera_sources.agent.readers import Brightening, Listener, numbers, reader_of

BROKEN = -2


class Camera(LiveSource):
    """Gives what it is told, connection by connection: pictures, errors to raise, or functions to call first."""

    def __init__(self, *connections):
        self.connections = list(connections)
        self.closed = 0
        self.decoded = 0

    def grabs(self):
        try:
            for event in self.connections.pop(0) if self.connections else []:
                if isinstance(event, Exception):
                    raise event
                if callable(event):
                    event()
                    continue
                yield Grab(float(event), lambda event=event: self.decode(event))
        finally:
            self.closed += 1

    def decode(self, value):
        self.decoded += 1
        if value == BROKEN:
            raise NoPictureError("the data is not a picture")
        if value < 0:
            raise SourceError("codec not decodable")
        return np.full((2, 3, 3), value, np.uint8)


@pytest.fixture(autouse=True)
def no_pause(monkeypatch):
    """A source is opened again at once."""
    monkeypatch.setattr(reading, "FIRST_RETRY_S", 1e-6)


def watch(camera, **options):
    """Read a camera until it has given nothing but failures for a while."""
    ended = threading.Event()
    options = {"persistent": True, "frames": 0, **options}
    reader = reader_of(camera, **options)
    camera.connections[-1] = [*camera.connections[-1], reader.stop]
    shots = []
    reader.start(lambda _: shots.append(reader.mailbox.take_shot()), ended.set)
    assert ended.wait(60)
    return reader, shots


def test_a_picture_of_a_camera_has_the_time_at_which_it_was_grabbed():
    _, shots = watch(Camera([1, 2, 3]))
    assert [shot.captured_at for shot in shots] == [1.0, 2.0, 3.0]


def test_a_camera_is_not_slowed_down_nor_played_again():
    camera = Camera(range(100))
    begun = time.monotonic()
    _, shots = watch(camera, fps=0.01, loop=True)
    assert numbers(shots) == list(range(100))
    assert time.monotonic() - begun < 60


def test_a_camera_that_fails_is_opened_again_and_counts_on():
    camera = Camera(
        [1, SourceError("the cable is out")], [SourceError("not reachable")], [OSError("broken pipe"), 9], [2]
    )
    reader, shots = watch(camera)
    assert [shot.captured_at for shot in shots] == [1.0, 2.0]
    assert numbers(shots) == [0, 1]
    assert camera.closed == 4
    assert reader.error is None


def test_a_camera_that_ends_is_opened_again():
    _, shots = watch(Camera([1], [2]))
    assert len(shots) == 2


def test_what_cannot_be_opened_is_tried_again():
    camera, failures = Camera([1]), [SourceError("video x does not exist"), ConfigurationError("not supported")]

    def opening():
        if failures:
            raise failures.pop()
        return camera

    opening.connections = camera.connections
    _, shots = watch(opening)
    assert len(shots) == 1


def test_the_reason_of_a_failure_is_told_without_secrets():
    camera, reasons = Camera([SourceError("no secret here")], [lambda: reasons.append(told())]), []
    reader = None

    def told():
        return reader.health.condition(time.monotonic()).reason

    reader = reader_of(camera, persistent=True, redact=lambda text: text.replace("secret", "***"))
    ended = threading.Event()
    camera.connections[-1].append(reader.stop)
    reader.start(lambda _: None, ended.set)
    assert ended.wait(60)
    assert reasons == ["no *** here"]


def test_an_error_that_ends_the_reader_holds_no_secret():
    reader = reader_of(Brightening(0, SourceError("no secret here")), redact=lambda text: text.replace("secret", "***"))
    Listener(reader).listen()
    assert isinstance(reader.error, SourceError)
    assert str(reader.error) == "no *** here"


def test_our_own_reasons_are_told_whole_though_a_word_in_them_be_a_password(tmp_path):
    def opening():
        return open_source(str(tmp_path / "away"))

    reader = reader_of(opening, redact=lambda text: text.replace("source", "***"))
    Listener(reader).listen()
    assert str(reader.error).startswith("camera source ")


def test_pictures_over_the_limit_are_not_decoded_but_make_a_camera_online():
    camera = Camera([*range(1, 100)])
    reader, shots = watch(camera, settings={"fps": 0.01})
    assert (len(shots), camera.decoded) == (1, 1)
    assert reader.health.condition(time.monotonic()).state is State.ONLINE


def test_a_broken_picture_is_passed_over_and_counted():
    camera = Camera([1, BROKEN, 2, *[BROKEN] * (reading.MAX_BROKEN_IN_A_ROW - 1), 3])
    reader, shots = watch(camera)
    assert [shot.captured_at for shot in shots] == [1.0, 2.0, 3.0]
    assert camera.closed == 1
    assert reader.broken == reading.MAX_BROKEN_IN_A_ROW


def test_a_camera_that_gives_nothing_but_broken_pictures_is_opened_again():
    camera = Camera([*[BROKEN] * reading.MAX_BROKEN_IN_A_ROW, 1], [2])
    _, shots = watch(camera)
    assert [shot.captured_at for shot in shots] == [2.0]


def test_a_wrong_password_is_not_sent_again_for_minutes(monkeypatch):
    told, ended = threading.Event(), threading.Event()
    camera = Camera([WrongPasswordError()], [1])
    reader = reader_of(camera, persistent=True)
    failed = reader.health.on_failure

    def and_told(reason):
        failed(reason)
        told.set()

    monkeypatch.setattr(reader.health, "on_failure", and_told)
    reader.start(lambda _: None, ended.set)
    assert told.wait(60)
    assert "wrong password; trying again after 5 min" in reader.health.condition(time.monotonic()).reason
    assert not ended.wait(0.2)  # the pauses after other failures are of a microsecond here
    assert len(camera.connections) == 1
    reader.stop()
    assert ended.wait(60)


def test_pictures_that_cannot_be_decoded_do_not_make_a_camera_online():
    states = []
    camera = Camera([-1], [-1], [lambda: states.append(reader.health.condition(time.monotonic()))])
    reader = reader_of(camera, persistent=True, settings={"fps": 0.01})
    ended = threading.Event()
    camera.connections[-1].append(reader.stop)
    reader.start(lambda _: None, ended.set)
    assert ended.wait(60)
    assert [(told.state, told.reason) for told in states] == [(State.OFFLINE, "codec not decodable")]


def test_a_source_that_does_not_come_back_hangs_after_its_time_and_not_before():
    entered, leave = threading.Event(), threading.Event()

    def hang():
        entered.set()
        leave.wait(60)

    reader = reader_of(Camera([1, hang]), persistent=True, stale_after_s=5)
    reader.start(lambda _: None, lambda: None)
    assert entered.wait(60)
    now = time.monotonic()
    assert not reader.hangs(now + 4)
    assert reader.hangs(now + 7)
    reader.stop()
    leave.set()
    reader.join(60)
    assert not reader.hangs(now + 7)


def test_a_recording_that_does_not_open_hangs_too():
    entered, leave = threading.Event(), threading.Event()

    def opening():
        entered.set()
        leave.wait(60)
        raise SourceError("too late")

    reader = reader_of(opening, stale_after_s=5)
    reader.start(lambda _: None, lambda: None)
    assert entered.wait(60)
    assert reader.hangs(time.monotonic() + 7)
    leave.set()
    reader.join(60)


def test_a_reader_between_two_openings_does_not_hang_and_can_be_stopped(monkeypatch):
    monkeypatch.setattr(reading, "FIRST_RETRY_S", 1e6)
    monkeypatch.setattr(reading, "MAX_RETRY_S", 1e6)
    failed, ended = threading.Event(), threading.Event()

    def opening():
        failed.set()
        raise SourceError("not reachable")

    reader = reader_of(opening, persistent=True)
    reader.start(lambda _: None, ended.set)
    assert failed.wait(60)
    reader.stop()
    assert ended.wait(60)
    assert not reader.hangs(time.monotonic() + 1e6)
