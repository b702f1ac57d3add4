from __future__ import annotations

import io
import logging

import pytest

from shared.logs.repetition import FIRST_LINES
from shared.logs.setup import _FORMAT, SparingHandler, format_period, subject_of
from shared.network.addresses import Address


@pytest.fixture
def handler():
    handler = SparingHandler()
    handler.setStream(io.StringIO())
    handler.setFormatter(logging.Formatter(_FORMAT))
    yield handler
    handler.close()


@pytest.fixture
def log(handler):
    log = logging.Logger("part")  # noqa: LOG001  (one without parents: pytest keeps what it hears)
    log.addHandler(handler)
    return log


def lines(handler):
    return [line.partition("part: ")[2] for line in handler.stream.getvalue().splitlines()]


def test_what_repeats_is_written_at_first_and_counted_at_the_end(log, handler):
    for number in range(250):
        log.warning("edge %s: tile %s is late", "shed", number)
    log.warning("edge %s: tile %s is late", "attic", 1)
    first = [f"edge shed: tile {number} is late" for number in range(3)]
    assert lines(handler) == [*first, "edge attic: tile 1 is late"]
    handler.close()
    assert lines(handler)[4:] == ["edge shed: tile 249 is late (247 times in the last 1 s)"]


def test_a_sum_is_written_when_its_time_comes_though_nothing_else_is_logged(log, handler, monkeypatch):
    monkeypatch.setattr("shared.logs.repetition.QUIET_AFTER_S", 0.05)
    for number in range(10):
        log.warning("tile %s is late", number)
    while (timer := handler._timer) is not None:
        timer.join(5)
    assert lines(handler)[-1] == "tile 9 is late (7 times in the last 1 s)"


def test_a_mistake_is_written_with_its_traceback_as_often_as_a_line_and_nothing_of_it_is_kept(log, handler):
    class Picture:
        alive = 0

        def __init__(self):
            Picture.alive += 1

        def __del__(self):
            Picture.alive -= 1

    def fail():
        picture = Picture()
        raise ValueError(picture)

    for _ in range(10):
        try:
            fail()
        except ValueError:
            log.exception("it failed")
    assert handler.stream.getvalue().count("Traceback") == FIRST_LINES
    assert Picture.alive == 0


def test_a_line_that_cannot_be_formatted_ends_nothing(log, handler, monkeypatch):
    monkeypatch.setattr(logging, "raiseExceptions", False)
    arguments = (1,)
    log.warning("%s and %s", *arguments)
    log.warning("right")
    assert "right" in handler.stream.getvalue()


@pytest.mark.parametrize(
    ("arguments", "subject"),
    [
        ((), ""),
        ((3, 4.5), ""),
        (("shed", "online"), "shed"),
        (("edge-1", 2), "edge-1"),
        (("front-1a207a1a046-000017", 3), "front"),
        (("front-door-1a207a1a046-000017",), "front-door"),
        ((Address("10.0.0.1", 45678),), "10.0.0.1"),
        (("10.0.0.1:45678",), "10.0.0.1"),
        ((7, "shed"), "shed"),
        (("3 messages wait for 10.0.0.1",), "0 messages wait for 0.0.0.0"),
    ],
)
def test_a_line_is_of_a_subject(arguments, subject):
    assert subject_of(logging.LogRecord("part", logging.INFO, "", 0, "", arguments, None)) == subject


def test_one_subject_in_a_mapping_is_not_looked_into():
    record = logging.LogRecord("part", logging.INFO, "", 0, "%(a)s", ({"a": 1},), None)
    assert subject_of(record) == ""


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "1 s"), (30, "30 s"), (60, "minute"), (61.2, "minute"), (120, "2 minutes"), (7200, "2 hours")],
)
def test_durations_are_said_in_the_unit_that_fits(seconds, words):
    assert format_period(seconds) == words
