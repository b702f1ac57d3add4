from __future__ import annotations

import numpy as np
import pytest

from gateway.annotation.text_drawing import draw_text_on_plate, plate_size, shorten_to_width, text_width


def paper():
    return np.full((100, 400, 3), 200, np.uint8)


def test_words_that_fit_stay_as_they_are():
    assert shorten_to_width("concat_28", 400, 20) == "concat_28"


def test_long_words_keep_their_beginning_and_their_end():
    shown = shorten_to_width("/model.10/cv1/conv/Conv_output_0", 150, 20)
    assert text_width(shown, 20) <= 150
    assert shown.startswith("/mod")
    assert shown.endswith("_0")


@pytest.mark.parametrize("words", ["7", "halo 63 px"])
def test_words_on_a_plate_lie_in_the_middle_and_inside(words):
    picture = paper()
    draw_text_on_plate(picture, words, (200, 50), (255, 255, 255), (0, 0, 0), 20)
    rows, columns = np.nonzero((picture != 200).any(axis=2))
    width, height = plate_size(words, 20)
    assert abs((columns.min() + columns.max()) / 2 - 200) <= 2
    assert abs((rows.min() + rows.max()) / 2 - 50) <= 2
    assert columns.max() - columns.min() <= width + 4
    assert rows.max() - rows.min() <= height + 4
    white_rows, white_columns = np.nonzero((picture == 255).all(axis=2))
    assert columns.min() < white_columns.min() <= white_columns.max() < columns.max()
    assert rows.min() < white_rows.min() <= white_rows.max() < rows.max()
