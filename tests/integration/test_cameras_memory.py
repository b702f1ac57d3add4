"""Cameras that go and come back all the time leave nothing in memory."""

from __future__ import annotations

from contextlib import closing

import psutil
import pytest

from camera_sources.camera_settings import CameraSettings
from camera_sources.open_source import open_source
from shared.errors import SourceError
from tests.cameras import LOGIN, web_camera

RECONNECTIONS = 200
WARM_UP = 20
GROWTH_CAP_MIB = 8
"""What allocators and caches may take; a picture kept of each connection would be ten times as much."""


@pytest.mark.slow
@pytest.mark.parametrize("path", ["stream", "picture"])
def test_memory_is_flat_over_many_connections(path):
    with web_camera("--login", LOGIN, "--auth", "digest", "--size", "640x480", "--fps", "200") as camera:
        settings = CameraSettings(source=f"http://{LOGIN}@{camera.address}/{path}", stale_after=5, fps=200)
        me = psutil.Process()
        begin = descriptors = 0
        for number in range(RECONNECTIONS + WARM_UP):
            if number == WARM_UP:
                begin, descriptors = me.memory_info().rss, me.num_fds()
            with closing(open_source(settings).grabs()) as grabs:
                assert next(grabs).decode().shape == (480, 640, 3)
                assert next(grabs).captured_at > 0
        assert me.num_fds() <= descriptors + 2
        assert (me.memory_info().rss - begin) / 2**20 < GROWTH_CAP_MIB


@pytest.mark.slow
def test_memory_is_flat_over_many_refusals():
    with web_camera("--login", LOGIN) as camera:
        settings = CameraSettings(source=f"http://me:other@{camera.address}/stream", stale_after=5)
        me = psutil.Process()
        begin = 0
        for number in range(RECONNECTIONS + WARM_UP):
            if number == WARM_UP:
                begin = me.memory_info().rss
            with pytest.raises(SourceError, match="wrong password"):
                next(open_source(settings).grabs())
        assert (me.memory_info().rss - begin) / 2**20 < GROWTH_CAP_MIB
