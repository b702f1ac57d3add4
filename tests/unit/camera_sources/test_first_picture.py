from __future__ import annotations

import threading
import time

import pytest

from camera_sources import first_picture as module
from camera_sources.camera_settings import CameraSettings
from camera_sources.first_picture import HangingError, first_picture, first_pictures
from camera_sources.source import FOOTAGE, Source
from shared.errors import ConfigurationError, SourceError


def settings(source=str(FOOTAGE), **more):
    return CameraSettings(source=source, **more)


def test_it_is_turned_and_cropped_as_frames_are():
    assert first_picture(settings()).shape == (576, 768, 3)
    assert first_picture(settings(rotate=90)).shape == (768, 576, 3)
    assert first_picture(settings(crop=(0, 0, 0.5, 0.25))).shape == (144, 384, 3)


@pytest.mark.parametrize(
    ("source", "kind", "words"),
    [
        ("/no/where", SourceError, "does not exist"),
        ("ftp://me:s3cr3t@x/y", ConfigurationError, "not supported"),
    ],
)
def test_why_there_is_none_is_said(source, kind, words):
    with pytest.raises(kind, match=words) as told:
        first_picture(settings(source))
    assert "s3cr3t" not in str(told.value)


class Strange(Source):
    """Anybody's code, whose pictures are those that `give` gives."""

    fps = 1.0

    def __init__(self, give):
        self._give = give

    def pictures(self):
        yield from self._give()


def nothing():
    return iter(())


def failure():
    raise ZeroDivisionError("at rtsp://me:s3cr3t@host/x")


@pytest.mark.parametrize(
    ("give", "words"), [(nothing, "it sends no picture"), (failure, r"the source failed: at rtsp://\*\*\*@host/x")]
)
def test_a_source_of_others_may_fail_as_it_likes(monkeypatch, give, words):
    monkeypatch.setattr(module, "open_source", lambda _: Strange(give))
    with pytest.raises(SourceError, match=words):
        first_picture(settings("rtsp://me:s3cr3t@host/x"))


def test_one_that_hangs_holds_up_no_other(monkeypatch):
    released = threading.Event()

    def hang():
        released.wait()
        return nothing()

    opened = module.open_source
    monkeypatch.setattr(module, "open_source", lambda each: Strange(hang) if each.loop else opened(each))
    begun = time.monotonic()
    found = first_pictures({"hangs": settings(loop=True), "works": settings(loop=False)}, within_s=1.0)
    released.set()
    assert isinstance(found["hangs"], HangingError)
    assert str(found["hangs"]) == "no picture within 1 s"
    assert found["works"].shape == (576, 768, 3)
    assert time.monotonic() - begun < 10


def test_no_camera_is_no_picture():
    assert first_pictures({}) == {}
