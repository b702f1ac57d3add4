from __future__ import annotations

import numpy as np
import pytest

from camera_sources.kinds.video_file import FALLBACK_FPS, VideoFile
from camera_sources.pictures import image_decoding as decoding
from camera_sources.pictures.image_decoding import LargePictureError
from camera_sources.source import FOOTAGE
from shared.errors import SourceError


def brightness(source):
    return [round(float(picture.mean())) for picture in source.pictures()]


def test_a_video_gives_its_pictures_in_order(video):
    assert brightness(VideoFile(video(pictures=5))) == pytest.approx([0, 20, 40, 60, 80], abs=3)


def test_pictures_are_uint8_of_the_videos_size(video):
    picture = next(VideoFile(video(size=(48, 64))).pictures())
    assert picture.dtype == np.uint8
    assert picture.shape == (48, 64, 3)


def test_a_video_can_be_played_again(video):
    source = VideoFile(video(pictures=3))
    assert len(brightness(source)) == len(brightness(source)) == 3


@pytest.mark.parametrize("fps", [5.0, 25.0])
def test_a_video_knows_its_rate(video, fps):
    assert VideoFile(video(fps=fps)).fps == pytest.approx(fps)


def test_a_rate_that_cannot_be_is_not_believed(video):
    assert VideoFile(video(fps=5000.0)).fps == FALLBACK_FPS


@pytest.mark.parametrize(
    "content", [b"", b"no video\n" * 100, b"RIFF\0\0\0\0AVI LIST"], ids=["empty", "text", "cut off"]
)
def test_a_file_that_is_no_video_is_refused_by_name(tmp_path, content):
    path = tmp_path / "broken.avi"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=r"video .*broken\.avi "):
        VideoFile(path)


def test_the_error_is_all_that_is_said_about_a_broken_video(tmp_path, capfd):
    path = tmp_path / "broken.avi"
    path.write_text("not a video")
    with pytest.raises(SourceError):
        VideoFile(path)
    assert capfd.readouterr().err == ""


def test_a_video_without_a_picture_is_refused(video):
    with pytest.raises(SourceError, match="video"):
        VideoFile(video(pictures=0))


def test_a_video_that_breaks_off_ends_there(video):
    path = video(pictures=12, size=(240, 320))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 7 // 10])
    shown = brightness(VideoFile(path))
    assert 0 < len(shown) < 12
    assert shown == sorted(shown)


def test_a_video_that_is_taken_away_is_an_error(video):
    path = video()
    source = VideoFile(path)
    path.unlink()
    with pytest.raises(SourceError, match="cannot be decoded"):
        next(source.pictures())


def test_the_bundled_clip_is_what_its_readme_says():
    source = VideoFile(FOOTAGE)
    pictures = list(source.pictures())
    assert (len(pictures), source.fps, pictures[0].shape) == (300, 10.0, (576, 768, 3))


def test_a_video_of_an_absurd_size_is_refused_by_its_size(monkeypatch):
    monkeypatch.setattr(decoding, "MAX_PIXELS", 768 * 576 - 1)
    with pytest.raises(LargePictureError, match="768x576 pixels are too large"):
        VideoFile(FOOTAGE)
