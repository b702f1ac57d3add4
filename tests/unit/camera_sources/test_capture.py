from __future__ import annotations

import os

from camera_sources.capture import OPTIONS_VARIABLE, open_with_ffmpeg
from camera_sources.rtsp_camera import CAPTURE_OPTIONS
from camera_sources.source import FOOTAGE


def pictures(capture):
    count = 0
    while capture.grab():
        count += 1
    capture.release()
    return count


def test_the_options_of_one_opening_are_not_those_of_the_next():
    assert pictures(open_with_ffmpeg(str(FOOTAGE), CAPTURE_OPTIONS)) < 300  # else this test shows nothing
    assert OPTIONS_VARIABLE not in os.environ
    assert pictures(open_with_ffmpeg(str(FOOTAGE))) == 300
