from __future__ import annotations

import numpy as np
import pytest

from shared.detection.decoding.plausibility import (
    area_doubt,
    box_doubt,
    logit_doubt,
    row_doubt,
    score_doubt,
    tail_doubt,
    whole_number_doubt,
)

SIZE = (48, 64)


def boxes(*rows, count=100):
    """So many ordinary boxes, the last ones replaced."""
    made = np.tile(np.array([10, 10, 30, 40], np.float32), (count, 1))
    return np.concatenate([made[len(rows) :], np.array(rows, np.float32).reshape(-1, 4)])


@pytest.mark.parametrize("scores", [[], [0, 1], [-0.0005, 1.0004], [0.5]])
def test_probabilities_are_no_doubt_but_for_rounding(scores):
    assert score_doubt(np.array(scores, np.float32)) == ""


@pytest.mark.parametrize(
    ("scores", "seen"), [([-0.1, 0.5], "-0.1 to 0.5"), ([0.5, 30], "0.5 to 30"), ([0.5, np.nan], "nan")]
)
def test_other_numbers_are_no_scores_and_are_told(scores, seen):
    assert seen in score_doubt(np.array(scores, np.float32))


@pytest.mark.parametrize(("logits", "doubt"), [([-3, 2], ""), ([0, 0.9], "already"), ([-3, np.inf], "not finite")])
def test_numbers_before_a_sigmoid_reach_over_0_and_1(logits, doubt):
    assert doubt in logit_doubt(np.array(logits, np.float32))
    assert bool(logit_doubt(np.array(logits, np.float32))) is bool(doubt)


@pytest.mark.parametrize(
    "made",
    [
        np.zeros((0, 4), np.float32),
        np.zeros((9, 4), np.float32),
        boxes(),
        boxes([np.nan] * 4),
        boxes([30, 40, 10, 10]),
        boxes([-40, -20, 100, 90]),
        boxes(*[[-9e3, -9e3, -8e3, -8e3]] * 9),
    ],
)
def test_boxes_of_a_picture_are_no_doubt_if_nearly_all_can_be(made):
    assert box_doubt(made, SIZE) == ""


@pytest.mark.parametrize(
    ("made", "doubt"),
    [
        (boxes(*[[np.nan] * 4] * 2), "not finite"),
        (boxes(*[[30, 40, 10, 10]] * 2), "end before they begin"),
        (boxes() / 64, "within 0 and 1, where pixels"),
        (boxes(*[[-9e3, -9e3, -8e3, -8e3]] * 20), "far outside of the picture, up to 9e+03"),
    ],
)
def test_boxes_that_cannot_be_are_told(made, doubt):
    assert doubt in box_doubt(made, SIZE)


def test_parts_of_the_picture_are_measured_by_it():
    assert box_doubt(boxes() / 64, SIZE, parts=True) == ""
    assert "far outside" in box_doubt(boxes(), SIZE, parts=True)


def test_boxes_without_an_area_show_nothing():
    assert area_doubt(boxes()) == area_doubt(np.zeros((0, 4), np.float32)) == ""
    assert area_doubt(np.zeros((5, 4), np.float32)) == "its boxes have no area"


def test_rows_of_cells_are_not_empty():
    assert row_doubt(np.eye(4, dtype=np.float32)) == ""
    assert "empty" in row_doubt(np.zeros((4, 6), np.float32))


@pytest.mark.parametrize(
    ("columns", "is_doubted"),
    [([0.01, 0.01], False), ([0.01, 0.4], True), ([0.4, 0.01], False), ([0.4, 0.4], False), ([0.4], False)],
)
def test_numbers_that_are_large_everywhere_behind_silent_ones_are_no_scores(columns, is_doubted):
    assert bool(tail_doubt(np.tile(np.float32(columns), (50, 1)))) is is_doubted


def test_class_numbers_are_whole():
    assert whole_number_doubt(np.array([0, 5], np.float32)) == ""
    assert whole_number_doubt(np.array([0, 0.5], np.float32)) == whole_number_doubt(np.array([np.nan])) != ""
