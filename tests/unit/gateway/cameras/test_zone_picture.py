from __future__ import annotations

import numpy as np
import pytest

from gateway.cameras.zone_picture import MASK_COLOUR, MAX_SHOT_HEIGHT, MIN_SHOT_WIDTH, ZONE_COLOURS, draw_shot
from gateway.configuration.drawn_areas import DrawnArea

YARD = DrawnArea("yard", ((0.25, 0.25), (0.75, 0.25), (0.75, 0.75), (0.25, 0.75)), is_zone=True)
SKY = DrawnArea("motion", ((0, 0), (1, 0), (1, 0.15), (0, 0.15)))


def plain(brightness, width=1000, height=800):
    return np.full((height, width, 3), brightness, np.uint8)


def pixel(picture, x, y):
    """The colour at parts of a picture."""
    return tuple(int(value) for value in picture[round(y * picture.shape[0]), round(x * picture.shape[1])])


@pytest.mark.parametrize("brightness", [0, 30, 128, 225, 255])
def test_the_grid_is_seen_on_dark_and_on_bright(brightness):
    drawn = draw_shot(plain(brightness), ())
    for tenth in range(1, 10):
        column = drawn[460, round(tenth * 100) - 4 : round(tenth * 100) + 5].astype(int)  # between two lines
        row = drawn[round(tenth * 80) - 4 : round(tenth * 80) + 5, 550].astype(int)
        for across in (column, row):
            assert across.max() == 255
            assert across.min() == 0


def test_the_rest_of_the_picture_is_as_it_was():
    drawn = draw_shot(plain(128), ())
    assert pixel(drawn, 0.45, 0.45) == (128, 128, 128)
    assert (drawn == 128).mean() > 0.8


def test_the_picture_itself_is_left_alone():
    picture = plain(128)
    draw_shot(picture, [YARD, SKY])
    assert (picture == 128).all()


def test_every_tenth_is_written_at_all_four_sides():
    drawn = draw_shot(plain(128), ())
    for tenth in range(1, 10):
        along = slice(tenth * 100 - 12, tenth * 100 + 13)
        down = slice(tenth * 80 - 6, tenth * 80 + 7)
        for plate in (drawn[2:25, along], drawn[-25:-2, along], drawn[down, 4:36], drawn[down, -36:-4]):
            dark, light = (plate < 50).all(axis=2).mean(), (plate > 200).all(axis=2).mean()
            assert dark > 0.4
            assert light > 0.05


def test_a_zone_is_tinted_and_a_mask_is_red():
    drawn = draw_shot(plain(100), [YARD, SKY])
    assert pixel(drawn, 0.45, 0.35) == tuple(int(100 * 0.75 + value * 0.25) for value in ZONE_COLOURS[0])
    assert pixel(drawn, 0.45, 0.12) == tuple(int(100 * 0.75 + value * 0.25) for value in MASK_COLOUR)
    assert pixel(drawn, 0.85, 0.85) == (100, 100, 100)
    assert pixel(drawn, 0.25, 0.45) == ZONE_COLOURS[0]  # its outline


def test_zones_differ():
    other = DrawnArea("street", ((0.8, 0.8), (0.95, 0.8), (0.95, 0.95)), is_zone=True)
    drawn = draw_shot(plain(100), [YARD, other])
    assert pixel(drawn, 0.8875, 0.8) == ZONE_COLOURS[1]


def test_a_place_in_pixels_is_where_these_are_also_when_the_picture_is_drawn_larger():
    pixels = DrawnArea("yard", ((80, 60), (240, 60), (240, 180), (80, 180)), is_zone=True)
    small = plain(100, 320, 240)
    assert (draw_shot(small, [pixels]) == draw_shot(small, [YARD])).all()


@pytest.mark.parametrize(("width", "height"), [(320, 240), (64, 48), (959, 540), (960, 540), (3840, 2160), (1, 1)])
def test_a_small_picture_is_drawn_larger_by_a_whole_number(width, height):
    drawn = draw_shot(plain(100, width, height), [YARD])
    times = drawn.shape[1] // width
    assert drawn.shape == (height * times, width * times, 3)
    assert times == 1 or width < MIN_SHOT_WIDTH
    assert drawn.shape[1] >= MIN_SHOT_WIDTH


def test_a_picture_that_is_narrow_and_high_does_not_grow_without_bound():
    assert draw_shot(plain(100, 2, 16_000), ()).shape == (16_000, 2, 3)
    assert draw_shot(plain(100, 2, 100), ()).shape[0] <= MAX_SHOT_HEIGHT


def test_the_name_of_a_zone_at_the_border_is_inside():
    corner = DrawnArea("a_long_name_of_a_zone", ((0, 0.9), (0.02, 0.9), (0.02, 1)), is_zone=True)
    outside = DrawnArea("far", ((3000, 3000), (3100, 3000), (3100, 3100)), is_zone=True)
    drawn = draw_shot(plain(100), [corner, outside])
    assert (drawn[:, :4] == np.array(ZONE_COLOURS[0])).all(axis=2).any()
    assert (drawn[-30:, -30:] == np.array(ZONE_COLOURS[1])).all(axis=2).any()
