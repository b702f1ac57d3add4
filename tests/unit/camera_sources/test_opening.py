from __future__ import annotations

import pytest

from camera_sources.opening import open_source
from camera_sources.picture_folder import PictureFolder
from camera_sources.video_file import VideoFile
from shared.errors import ConfigurationError, SourceError


def test_a_file_is_a_video(video):
    assert isinstance(open_source(str(video())), VideoFile)


def test_a_folder_is_a_folder_of_pictures(pictures):
    assert isinstance(open_source(str(pictures(a_png=1))), PictureFolder)


def test_a_file_uri_is_a_path(video):
    assert isinstance(open_source(video().as_uri()), VideoFile)


def test_a_file_uri_may_be_quoted(video):
    path = video().rename(video().with_name("my video.avi"))
    assert "%20" in path.as_uri()
    assert isinstance(open_source(path.as_uri()), VideoFile)


@pytest.mark.parametrize("uri", ["/nowhere/video.mp4", "nowhere", "file:///nowhere/video.mp4"])
def test_a_source_that_is_not_there_is_refused_by_name(uri):
    with pytest.raises(SourceError, match=r"nowhere.* does not exist"):
        open_source(uri)


@pytest.mark.parametrize("uri", ["rtsp://camera/stream", "http://user:secret@camera/video", "usb:0"])
def test_another_kind_of_source_is_refused_without_telling_its_password(uri):
    with pytest.raises(ConfigurationError, match="not supported by this release") as caught:
        open_source(uri)
    assert "secret" not in str(caught.value)


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(SourceError, match="holds no pictures"):
        open_source(str(tmp_path))


def test_a_file_of_another_kind_is_refused(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("no video")
    with pytest.raises(SourceError, match=r"notes\.txt"):
        open_source(str(path))
