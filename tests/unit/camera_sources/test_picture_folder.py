from __future__ import annotations

import shutil

import cv2
import numpy as np
import pytest

from camera_sources.picture_folder import PictureFolder, read_picture
from shared.errors import SourceError


def test_pictures_come_in_the_order_of_their_names(pictures):
    folder = pictures(b_png=20, a_png=10, c_bmp=30)
    assert [picture[0, 0, 0] for picture in PictureFolder(folder).pictures()] == [10, 20, 30]


def test_pictures_are_uint8_in_three_channels(pictures):
    (picture,) = PictureFolder(pictures(a_png=10)).pictures()
    assert picture.dtype == np.uint8
    assert picture.shape == (6, 8, 3)


def test_endings_in_capitals_count_and_other_files_do_not(pictures):
    folder = pictures(a_PNG=10, b_jpg=20)
    (folder / "notes.txt").write_text("no picture")
    assert len(list(PictureFolder(folder).pictures())) == 2


def test_a_folder_can_be_played_again(pictures):
    source = PictureFolder(pictures(a_png=10, b_png=20))
    assert len(list(source.pictures())) == len(list(source.pictures())) == 2


def test_a_broken_picture_is_named_in_the_log_and_left_out(pictures, caplog):
    folder = pictures(a_png=10, c_png=30)
    (folder / "b.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    assert [picture[0, 0, 0] for picture in PictureFolder(folder).pictures()] == [10, 30]
    assert "b.png cannot be decoded" in caplog.text


def test_a_folder_of_broken_pictures_only_is_an_error(pictures):
    folder = pictures()
    (folder / "a.png").write_text("no picture")
    source = PictureFolder(folder)
    with pytest.raises(SourceError, match="none of the pictures"):
        list(source.pictures())


def test_a_folder_without_pictures_is_refused(tmp_path):
    with pytest.raises(SourceError, match=r"holds no pictures \(.*\.png"):
        PictureFolder(tmp_path)


def test_a_folder_that_is_taken_away_is_an_error(pictures):
    folder = pictures(a_png=10)
    source = PictureFolder(folder)
    shutil.rmtree(folder)
    with pytest.raises(SourceError):
        list(source.pictures())


@pytest.mark.parametrize("ending", [".png", ".bmp", ".webp"])
def test_a_picture_is_read_as_it_was_written(tmp_path, ending):
    picture = np.random.default_rng(1).integers(0, 256, (7, 9, 3), np.uint8)
    path = tmp_path / f"picture{ending}"
    assert cv2.imwrite(str(path), picture, [cv2.IMWRITE_WEBP_QUALITY, 101])
    np.testing.assert_array_equal(read_picture(path), picture)


def test_a_grey_picture_has_three_channels(tmp_path):
    path = tmp_path / "grey.png"
    cv2.imwrite(str(path), np.full((4, 5), 9, np.uint8))
    assert read_picture(path).shape == (4, 5, 3)


def test_a_missing_picture_is_refused_by_name(tmp_path):
    with pytest.raises(SourceError, match=r"missing\.png does not exist"):
        read_picture(tmp_path / "missing.png")


def test_a_folder_is_no_picture(tmp_path):
    with pytest.raises(SourceError, match="does not exist"):
        read_picture(tmp_path)


@pytest.mark.parametrize("content", [b"", b"no picture", b"\xff\xd8\xff\xe0 broken"], ids=["empty", "text", "cut off"])
def test_a_file_that_is_no_picture_is_refused_by_name(tmp_path, content):
    path = tmp_path / "broken.jpg"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=r"broken\.jpg cannot be decoded"):
        read_picture(path)
