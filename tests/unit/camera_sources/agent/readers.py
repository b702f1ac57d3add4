"""A source for tests, its reader, and who listens to that."""

from __future__ import annotations

import threading

import numpy as np

from camera_sources.agent.selection import PictureSelection
from camera_sources.agent.source_reader import SourceReader
from camera_sources.camera_settings import CameraSettings
from camera_sources.source import Source


class Brightening(Source):
    """So many pictures, whose pixels are their number; then, if asked, an error."""

    fps = 1000.0

    def __init__(self, count, error=None):
        self.count = count
        self.error = error
        self.begun = 0

    def pictures(self):
        self.begun += 1
        for number in range(self.count):
            yield np.full((2, 2, 3), number, np.uint8)
        if self.error is not None:
            raise self.error


def reader_of(source, *, settings=None, **options):
    """A reader of this source, or of what a function opens."""
    opening = source if callable(source) else lambda: source
    return SourceReader(opening, PictureSelection(CameraSettings(source="test://64x64", **(settings or {}))), **options)


class Listener:
    """Hears a reader: every superseded shot, and the end. Takes each shot at once if `takes`."""

    def __init__(self, reader, *, takes=True):
        self.reader = reader
        self.shots = []
        self.superseded = []
        self.ended = threading.Event()
        self.takes = takes

    def on_shot(self, superseded):
        assert not self.ended.is_set()
        if superseded is not None:
            self.superseded.append(superseded)
        if self.takes:
            self.shots.append(self.reader.mailbox.take_shot())

    def listen(self):
        """Until the end."""
        self.reader.start(self.on_shot, self.ended.set)
        assert self.ended.wait(60)
        self.reader.join(60)
        return self


def numbers(shots):
    return [shot.number for shot in shots]
