from __future__ import annotations

import itertools

import pytest

from gateway.annotation.label_places import place_plate

PICTURE = 640, 480
SIZE = 80, 14


def placed(*boxes):
    plates = []
    for box in boxes:
        plates.append(place_plate(box, SIZE, PICTURE, plates))
    return plates


def overlap(first, second):
    return first[0] < second[2] and second[0] < first[2] and first[1] < second[3] and second[1] < first[3]


def test_a_label_is_above_its_box():
    assert placed((100, 100, 200, 300)) == [(100, 86, 180, 100)]


@pytest.mark.parametrize("box", [(0, 0, 640, 480), (600, 470, 640, 480), (-50, -50, 900, 900), (639, 0, 640, 1)])
def test_a_label_is_inside_the_picture(box):
    ((left, top, right, bottom),) = placed(box)
    assert 0 <= left < right <= 640
    assert 0 <= top < bottom <= 480


@pytest.mark.parametrize(
    "boxes",
    [
        [(100, 100, 200, 300)] * 12,
        [(100 + 7 * number, 100 + 3 * number, 160 + 7 * number, 300) for number in range(20)],
        [(0, 0, 640, 480)] * 10,
        [(number % 5 * 30, number // 5 * 10, 60 + number % 5 * 30, 200) for number in range(25)],
    ],
    ids=["one on the other", "a row", "whole pictures", "a crowd"],
)
def test_no_label_covers_another(boxes):
    assert not [pair for pair in itertools.combinations(placed(*boxes), 2) if overlap(*pair)]


def test_a_label_that_has_no_room_is_written_all_the_same():
    assert len(placed(*[(100, 100, 200, 300)] * 300)) == 300


def test_a_picture_smaller_than_a_label_has_it_at_its_corner():
    assert place_plate((0, 0, 10, 10), SIZE, (20, 10), []) == (0, 0, 80, 14)
