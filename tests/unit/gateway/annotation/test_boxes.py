from __future__ import annotations

import cv2
import numpy as np
import pytest

from gateway.annotation.boxes import annotate, write_picture
from shared.errors import SourceError
from shared.payloads.cluster import DetectedObject


def seen(label, box):
    return DetectedObject(label=label, score=0.5, box=box, box_rel=(0, 0, 1, 1))


def grey(height=200, width=300):
    return np.full((height, width, 3), 99, np.uint8)


def test_a_box_is_drawn_where_the_object_is_and_nowhere_else():
    drawn = annotate(grey(), [seen("cat", (100, 120, 180, 180))])
    changed = np.argwhere((drawn != 99).any(axis=2))
    assert changed.min(axis=0).tolist()[1] == 100
    assert changed.max(axis=0).tolist() == [180, 180]
    assert (drawn[150, 140] == 99).all()


def test_the_picture_itself_stays_as_it_is():
    picture = grey()
    annotate(picture, [seen("cat", (10, 10, 90, 90))])
    assert (picture == 99).all()


def test_nothing_seen_is_nothing_drawn():
    np.testing.assert_array_equal(annotate(grey(), []), grey())


def test_a_label_has_one_colour_and_another_label_another():
    first, again, other = (
        annotate(grey(), [seen(label, (100, 120, 180, 180))])[180, 140].tolist() for label in ("cat", "cat", "dog")
    )
    assert first == again != other


@pytest.mark.parametrize("box", [(0, 0, 300, 200), (-50, -50, 900, 900), (299, 199, 300, 200), (10, 10, 10, 10)])
def test_a_box_at_or_over_the_border_is_drawn_as_far_as_it_goes(box):
    drawn = annotate(grey(), [seen("cat", box)])
    assert drawn.shape == (200, 300, 3)
    assert (drawn != 99).any()


@pytest.mark.parametrize("name", ["picture.png", "deep/er/picture.png", "picture.jpg"])
def test_a_picture_is_written_where_it_was_asked_for(tmp_path, name):
    write_picture(tmp_path / name, grey())
    written = cv2.imread(str(tmp_path / name))
    assert written is not None
    assert written.shape == (200, 300, 3)
    assert [path.name for path in (tmp_path / name).parent.iterdir()] == [(tmp_path / name).name]


def test_a_picture_replaces_an_older_one(tmp_path):
    path = tmp_path / "picture.png"
    path.write_text("older")
    write_picture(path, grey())
    np.testing.assert_array_equal(cv2.imread(str(path)), grey())


@pytest.mark.parametrize("name", ["picture", "picture.txt", "picture.onnx"])
def test_a_name_that_is_no_pictures_is_refused_and_nothing_is_written(tmp_path, name):
    with pytest.raises(SourceError, match=r"it must end in \.png or \.jpg"):
        write_picture(tmp_path / name, grey())
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SourceError, match=r"picture\.png cannot be written"):
        write_picture(tmp_path / "file" / "picture.png", grey())
