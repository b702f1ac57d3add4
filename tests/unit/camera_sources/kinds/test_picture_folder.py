from __future__ import annotations

import os
import shutil
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest

from camera_sources.kinds.picture_folder import MAX_PICTURE_FILE_BYTES, PictureFolder, read_picture
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
    with pytest.raises(SourceError, match=r"contains no pictures \(.*\.png"):
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
    with pytest.raises(SourceError, match=r"missing\.png does not exist; name a picture file"):
        read_picture(tmp_path / "missing.png")


@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir, lambda path: path.symlink_to("/dev/zero")])
def test_what_is_no_file_is_refused_at_once(tmp_path, make):
    make(tmp_path / "a.jpg")
    with pytest.raises(SourceError, match=r"a\.jpg cannot be read: it is not a regular file"):
        read_picture(tmp_path / "a.jpg")


def test_a_file_without_end_is_refused(tmp_path):
    with (tmp_path / "a.jpg").open("wb") as file:
        file.truncate(MAX_PICTURE_FILE_BYTES + 1)
    with pytest.raises(SourceError, match=r"a\.jpg cannot be read: it has more than 256 MiB"):
        read_picture(tmp_path / "a.jpg")


def test_a_picture_that_is_too_large_is_named_with_its_size_and_left_out(pictures, caplog):
    folder = pictures(a_png=10, c_png=30)
    png = cv2.imencode(".png", np.zeros((1, 1, 3), np.uint8))[1].tobytes()
    (folder / "b.png").write_bytes(png[:16] + struct.pack(">II", 20000, 20000) + png[24:])
    assert len(list(PictureFolder(folder).pictures())) == 2
    assert "b.png cannot be decoded: its pictures of 20000x20000 pixels are too large" in caplog.text


def test_a_picture_is_told_to_be_left_out_once_and_once_more_for_another_reason(pictures, caplog):
    folder = pictures(a_png=10)
    source = PictureFolder(folder)
    for content in (b"", b"", b"still none"):
        (folder / "b.png").write_bytes(content)
        assert len(list(source.pictures())) == 1
    (folder / "b.png").unlink()
    (folder / "b.png").mkdir()
    for _ in range(2):
        assert len(list(source.pictures())) == 1
    assert [record.getMessage().rpartition(": ")[2] for record in caplog.records] == [
        "it is broken, or not a picture; it is skipped",
        "it is not a regular file; it is skipped",
    ]


@pytest.mark.parametrize("ending", [".jpg", ".png", ".bmp", ".webp"])
def test_a_picture_is_left_out_while_it_is_being_written(pictures, ending, caplog):
    folder = pictures(a_png=10)
    whole = cv2.imencode(ending, np.random.default_rng(1).integers(0, 256, (48, 64, 3), np.uint8))[1].tobytes()
    source, path = PictureFolder(folder), folder / f"b{ending}"
    for share in (0.3, 0.6, 0.99):
        path.write_bytes(whole[: int(share * len(whole))])
        assert len(list(source.pictures())) == 1
    assert "not completely written yet; it is skipped" in caplog.text
    path.write_bytes(whole)
    assert len(list(source.pictures())) == 2


@pytest.mark.parametrize("content", [b"", b"no picture", b"\xff\xd8\xff\xe0 broken"], ids=["empty", "text", "cut off"])
def test_a_file_that_is_no_picture_is_refused_by_name(tmp_path, content):
    path = tmp_path / "broken.jpg"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=r"broken\.jpg cannot be decoded"):
        read_picture(path)
