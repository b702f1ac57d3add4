from __future__ import annotations

import os
import threading

from camera_sources.kinds.capture import FFMPEG_OPTIONS_VARIABLE, _FfmpegOptions, open_with_ffmpeg
from camera_sources.kinds.rtsp_camera import CAPTURE_OPTIONS
from camera_sources.source import FOOTAGE


def pictures(capture):
    count = 0
    while capture.grab():
        count += 1
    capture.release()
    return count


def test_the_options_of_one_opening_are_not_those_of_the_next():
    assert pictures(open_with_ffmpeg(str(FOOTAGE), CAPTURE_OPTIONS)) < 300  # else this test shows nothing
    assert FFMPEG_OPTIONS_VARIABLE not in os.environ
    assert pictures(open_with_ffmpeg(str(FOOTAGE))) == 300


def test_openings_with_the_same_options_go_on_at_once_and_others_wait():
    environment, both, other = _FfmpegOptions(), threading.Barrier(2, timeout=10), threading.Event()

    def opening(options, during):
        with environment.holding(options):
            during()

    same = threading.Thread(target=opening, args=("a;1", both.wait), daemon=True)
    different = threading.Thread(target=opening, args=("", other.set), daemon=True)
    with environment.holding("a;1"):
        different.start()
        same.start()
        both.wait()
        assert not other.wait(0.2)
        assert os.environ[FFMPEG_OPTIONS_VARIABLE] == "a;1"
    assert other.wait(10)
    assert FFMPEG_OPTIONS_VARIABLE not in os.environ
