from __future__ import annotations

import subprocess
import sys

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.model.letterbox import Letterbox
from shared.model.spec import Preprocessing

ALIGNMENTS = ["centre", "top-left"]

lengths = st.integers(1, 4000)


@st.composite
def letterboxes(draw, alignments=st.sampled_from(ALIGNMENTS), sides=lengths):  # noqa: B008  (a strategy is a description)
    input_size = draw(st.integers(32, 800)), draw(st.integers(32, 800))
    return Letterbox(draw(sides), draw(sides), *input_size, draw(alignments))


@given(letterboxes())
def test_the_scaled_picture_lies_inside_the_input_and_touches_two_borders(box):
    (top, left), (height, width) = box.offset, box.size
    assert top >= 0
    assert left >= 0
    assert top + height <= box.height
    assert left + width <= box.width
    assert (height, width)[0] == box.height or width == box.width


@given(letterboxes(st.just("centre")))
def test_bars_on_both_sides_differ_by_one_pixel_at_most(box):
    (top, left), (height, width) = box.offset, box.size
    assert 0 <= box.height - height - 2 * top <= 1
    assert 0 <= box.width - width - 2 * left <= 1


@given(letterboxes(st.just("top-left")))
def test_at_the_top_left_all_bars_are_right_and_below(box):
    assert box.offset == (0, 0)


@pytest.mark.parametrize("shape", [(30, 40), (30, 40, 3)])
@pytest.mark.parametrize("align", ALIGNMENTS)
def test_a_letterbox_is_made_for_a_picture_an_input_and_its_preparation(shape, align):
    assert Letterbox.for_picture(shape, (64, 96), Preprocessing(align=align)) == Letterbox(30, 40, 64, 96, align)


@given(letterboxes())
def test_the_aspect_is_kept_within_half_a_pixel(box):
    height, width = box.size
    assert height == 1 or abs(height - box.image_height * box.scale) <= 0.5
    assert width == 1 or abs(width - box.image_width * box.scale) <= 0.5


@given(letterboxes(), st.data())
def test_boxes_come_back_to_where_they_were_in_the_picture(box, data):
    edges = [data.draw(st.floats(0, limit)) for limit in (box.image_width, box.image_height) * 2]
    left, top, right, bottom = edges
    boxes = np.array([[min(left, right), min(top, bottom), max(left, right), max(top, bottom)]], np.float32)
    scale = np.array([box.size[1] / box.image_width, box.size[0] / box.image_height] * 2)
    in_input = boxes * scale + np.array([box.offset[1], box.offset[0]] * 2)
    back = box.to_image(in_input.astype(np.float32))
    np.testing.assert_allclose(back, boxes, rtol=0, atol=1e-3 * max(box.image_height, box.image_width, 10) / 10)


def test_boxes_are_clipped_to_the_picture():
    box = Letterbox(100, 200, 416, 416)
    made = box.to_image(np.array([[-50, -50, 999, 999]], np.float32))
    assert made.tolist() == [[0, 0, 200, 100]]


def test_no_boxes_stay_no_boxes():
    assert Letterbox(100, 200, 416, 416).to_image(np.zeros((0, 4), np.float32)).shape == (0, 4)


@pytest.mark.parametrize("align", ALIGNMENTS)
@pytest.mark.parametrize("channels", ["bgr", "rgb"])
@pytest.mark.parametrize("size", [(10, 31), (31, 10), (17, 17), (1, 50), (576, 768)])
def test_bars_are_filled_and_the_picture_is_between_them(size, channels, align):
    preprocessing = Preprocessing(channels=channels, fill=114, align=align)
    box = Letterbox.for_picture(size, (64, 96), preprocessing)
    picture = np.full((*size, 3), (10, 20, 30), np.uint8)
    made = box.apply(picture, preprocessing)
    (top, left), (height, width) = box.offset, box.size
    expected = np.full((64, 96, 3), 114, np.uint8)
    expected[top : top + height, left : left + width] = (10, 20, 30) if channels == "bgr" else (30, 20, 10)
    np.testing.assert_array_equal(made, expected)
    assert made.flags.c_contiguous


@given(letterboxes(sides=st.integers(1, 300)), st.sampled_from(["bgr", "rgb"]), st.integers(0, 255))
def test_the_picture_is_scaled_once_and_then_its_channels_are_ordered(box, channels, fill):
    picture = np.random.default_rng(1).integers(0, 256, (box.image_height, box.image_width, 3), np.uint8)
    picture.flags.writeable = False
    (top, left), (height, width) = box.offset, box.size
    expected = np.full((box.height, box.width, 3), fill, np.uint8)
    scaled = cv2.resize(picture, (width, height), interpolation=cv2.INTER_LINEAR)
    expected[top : top + height, left : left + width] = scaled if channels == "bgr" else scaled[:, :, ::-1]
    np.testing.assert_array_equal(box.apply(picture, Preprocessing(channels=channels, fill=fill)), expected)


def test_a_picture_of_the_inputs_size_is_not_changed():
    picture = np.random.default_rng(1).integers(0, 256, (32, 48, 3), np.uint8)
    made = Letterbox(32, 48, 32, 48).apply(picture, Preprocessing(channels="bgr"))
    np.testing.assert_array_equal(made, picture)


def test_a_picture_is_not_written_to():
    picture = np.random.default_rng(1).integers(0, 256, (20, 30, 3), np.uint8)
    before = picture.copy()
    Letterbox(20, 30, 32, 32).apply(picture, Preprocessing())
    np.testing.assert_array_equal(picture, before)


def test_whatever_prepares_frames_lets_opencv_start_no_threads_that_spin():
    done = subprocess.run(
        [sys.executable, "-P", "-c", "import shared.model.letterbox, cv2; print(cv2.getNumThreads())"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == "1"
