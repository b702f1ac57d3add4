from __future__ import annotations

import numpy as np
import pytest

from shared.detection.decoding.finished_lists import DETECTION_LISTS
from shared.detection.decoding.finished_lists import decode as decode_lists
from shared.detection.decoding.finished_tables import END2END, PADDLE
from shared.detection.decoding.finished_tables import decode as decode_table
from shared.model.spec import ModelSpec

SIZE = (64, 96)
BOX, OTHER = (10, 20, 90, 60), (1, 2, 3, 4)
SPEC = ModelSpec(name="mine", file="mine.onnx", score_threshold=0.3)


def assert_found(found, scores):
    """The second box, of class 4, and nothing else."""
    np.testing.assert_allclose(found, [BOX])
    assert scores.argmax() == 4
    assert scores.max() == pytest.approx(0.8)


@pytest.mark.parametrize(
    "rows",
    [
        [(*OTHER, 0.1, 2), (*BOX, 0.8, 4)],
        [(0, *OTHER, 2, 0.1), (0, *BOX, 4, 0.8)],
        [(0, *OTHER, 0.1, 2), (0, *BOX, 0.8, 4)],
    ],
    ids=["six columns", "class, score", "score, class"],
)
@pytest.mark.parametrize("batch", [True, False])
def test_tables_of_six_and_seven_columns_are_read_in_either_order(rows, batch):
    table = np.array([rows] if batch else rows, np.float32)
    assert_found(*decode_table({"output": table}, SIZE, SPEC))
    assert END2END.doubt({"output": table}, SIZE, SPEC) == ""


def test_rows_behind_the_count_are_left_out():
    outputs = {
        "num_dets": np.array([[1]], np.int32),
        "det_scores": np.array([[0.8, 0.9]], np.float32),
        "det_boxes": np.array([[BOX, OTHER]], np.float32),
        "det_classes": np.array([[4, 1]], np.int32),
    }
    assert_found(*decode_lists(outputs, SIZE, SPEC))


@pytest.mark.parametrize("kind", [np.int64, np.float32])
def test_classes_are_known_by_their_name_or_type(kind):
    outputs = {"a": np.array([0.8], np.float32), "b": np.array([BOX], np.float32), "labels": np.array([4], kind)}
    assert_found(*decode_lists(outputs, SIZE, SPEC))


def test_paddles_padding_is_no_object():
    outputs = {"a": np.array([(4, 0.8, *BOX), (-1, 0.9, *OTHER)], np.float32), "b": np.array([1], np.int32)}
    assert_found(*PADDLE.decode(outputs, SIZE, SPEC))


@pytest.mark.parametrize(
    ("row", "doubt"),
    [
        ((*BOX, 8.0, 4), "scores are not from 0 to 1"),
        ((*BOX, 0.8, 4.5), "class numbers are not integers"),
        ((*BOX, 0.8, 5000), "class numbers are impossible"),
        ((*BOX[2:], *BOX[:2], 0.8, 4), "end before they begin"),
        ((0.1, 0.1, 0.5, 0.5, 0.8, 4), "within 0 and 1"),
    ],
)
def test_numbers_that_are_no_finished_detections_are_doubted(row, doubt):
    assert doubt in END2END.doubt({"output": np.array([row], np.float32)}, SIZE, SPEC)


def test_a_list_of_whole_scores_and_classes_without_rows_is_nothing():
    outputs = {
        "boxes": np.zeros((0, 4), np.float32),
        "scores": np.zeros(0, np.float32),
        "labels": np.zeros(0, np.int64),
    }
    assert DETECTION_LISTS.doubt(outputs, SIZE, SPEC) == ""
    found, scores = decode_lists(outputs, SIZE, SPEC)
    assert (found.shape, len(scores)) == ((0, 4), 0)
